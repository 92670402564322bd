import type { Message } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { testProcessor } from "../../test-support/processor.js";
import { compileChatTemplate } from "./chat-template.js";
import { encodeConversation, encodePrompt } from "./encode.js";
import type { ItemPlan, Processor } from "../media/processor.js";

const QWEN =
  "{% for message in messages %}<s>{{ message['role'] }}\n{% if message['content'] is string %}{{ " +
  "message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% " +
  "elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}</s>\n{% endfor %}{% if " +
  "add_generation_prompt %}<s>assistant\n{% endif %}";
const TEXT_ONLY =
  "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] + eos_token }}{% endfor %}{% if " +
  "add_generation_prompt %}[assistant] {% endif %}";

const user = (text: string, image = false): Message => ({
  role: "user",
  content: [...(image ? [{ type: "image" as const }] : []), { type: "text", text }],
});
const assistant = (text: string): Message => ({ role: "assistant", content: [{ type: "text", text }] });

function learned(
  processor: Processor,
  messages: Message[],
  images: number,
  endToken: "template" | "close" | "none" = "template",
): { spans: string[]; ids: readonly number[] } {
  const plans = Array.from({ length: images }, () => processor.media.image!.plan());
  const { tokenIds, labels } = encodeConversation(processor, messages, {
    plans,
    origin: "test",
    endToken,
  });
  const spans: string[] = [];
  labels.forEach((label, index) => {
    expect(label === -100 || label === tokenIds[index]).toBe(true);
    if (label === -100) return;
    const piece = processor.tokenizer.tokenOf(label)!;
    if (labels[index - 1] === -100) spans.push(piece);
    else spans[spans.length - 1] += piece;
  });
  return { spans, ids: tokenIds };
}

describe("encodeConversation", () => {
  it("learns every answer of a conversation, its end included, and nothing else", async () => {
    const processor = await testProcessor({ template: QWEN });
    const { spans, ids } = learned(
      processor,
      [user("What is it?", true), assistant("A boat."), user("Where?"), assistant("the sea.")],
      1,
    );
    expect(spans).toEqual(["A▁boat.</s>\n", "the▁sea.</s>\n"]);
    expect(ids.filter((id) => id === 332)).toHaveLength(4);
  });

  it.each([
    ["a template", QWEN, "▁A▁boat."],
    ["no template", null, "▁A▁boat."],
  ])("labels an answer's own text alone where it is told to, with %s", async (_name, template, expected) => {
    const processor = await testProcessor({ template });
    const whole = learned(processor, [user("What?", true), assistant("A boat.")], 1, "close");
    const own = learned(processor, [user("What?", true), assistant("A boat.")], 1, "none");
    expect(own.spans.map((span) => (span.startsWith("▁") ? span : `▁${span}`))).toEqual([expected]);
    expect(whole.spans[0]!.length).toBeGreaterThan(own.spans[0]!.length);
  });

  it("leaves a system turn out", async () => {
    const processor = await testProcessor({ template: QWEN });
    const { spans } = learned(
      processor,
      [
        { role: "system", content: [{ type: "text", text: "Be brief." }] },
        user("Name the colour."),
        assistant("Green."),
      ],
      0,
    );
    expect(spans).toEqual(["Green.</s>\n"]);
  });

  it("gives text to a template that reads no parts", async () => {
    const processor = await testProcessor({ template: TEXT_ONLY });
    const { spans, ids } = learned(processor, [user("What?", true), assistant("Green.")], 1);
    expect(spans).toEqual(["Green.</s>"]);
    expect(ids.filter((id) => id === 332)).toHaveLength(4);
  });

  it("appends the end token only where the answer is open", async () => {
    const conversation = [user("What?", true), assistant("Green.")];
    expect(
      learned(await testProcessor({ template: QWEN }), conversation, 1, "close").ids.filter((id) => id === 2),
    ).toHaveLength(2);
    expect(learned(await testProcessor(), conversation, 1, "template").ids).not.toContain(2);
    expect(learned(await testProcessor(), conversation, 1, "close").ids.at(-1)).toBe(2);
  });

  it("numbers items in their conversation, in front of what they become", async () => {
    const processor = await testProcessor({ template: QWEN });
    const plan = processor.media.image!.plan();
    const messages = [user("What?", true), assistant("x"), user("And?", true), assistant("y")];
    const encode = (plans: readonly ItemPlan[]) =>
      encodePrompt(processor, messages, { plans, origin: "test" }).tokenIds;
    const written = [0, 1].map((at) => ({ ...plan, placeholder: `a${at}b${plan.placeholder}` }));
    expect(encode([0, 1].map(() => ({ ...plan, number: ["a", "b"] })))).toEqual(encode(written));
  });

  it("captions without a template: image, prompt, caption, end", async () => {
    const processor = await testProcessor({ template: null });
    const messages = [user("Caption:", true), assistant("a boat")];
    const { spans, ids } = learned(processor, messages, 1, "close");
    expect(ids.slice(0, 4)).toEqual([332, 332, 332, 332]);
    expect(spans).toEqual(["▁a▁boat</s>"]);
    const { tokenIds: prompt } = encodePrompt(processor, messages, {
      plans: [processor.media.image!.plan()],
      origin: "test",
    });
    expect(ids.slice(0, prompt.length)).toEqual(prompt);
    expect(processor.tokenizer.tokenOf(prompt.at(-1)!)).toBe(":");
  });

  it.each<[string, string | null | undefined, Message[], number, string]>([
    [
      "two images for one placeholder",
      undefined,
      [user("What?", true), assistant("Green.")],
      2,
      "THAW_DATA_PLACEHOLDER_MISMATCH",
    ],
    ["no answer", undefined, [user("What?", true)], 1, "THAW_DATA_NOTHING_SUPERVISED"],
    [
      "a dialogue without a template",
      null,
      [user("What?", true), assistant("Green."), user("And?"), assistant("Red.")],
      1,
      "THAW_DATA_TEMPLATE_MISSING",
    ],
    [
      "a template that rewrites earlier turns",
      "{{ messages | length }}{% for message in messages %}{{ message.content[0].text }}{% endfor %}",
      [user("a"), assistant("b"), user("c"), assistant("d")],
      0,
      "THAW_DATA_TEMPLATE_NOT_INCREMENTAL",
    ],
    [
      "a template that raises",
      "{{ raise_exception('roles must alternate') }}",
      [user("a"), assistant("b")],
      0,
      "THAW_DATA_TEMPLATE",
    ],
  ])("refuses %s", async (_, template, messages, images, code) => {
    const processor = await testProcessor({ template });
    expect(() => learned(processor, messages, images)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(code.includes("TEMPLATE") ? "emplate" : "test"),
      }),
    );
  });

  it("refuses a template with a syntax error", async () => {
    await expect(testProcessor({ template: "{% for %}" })).rejects.toMatchObject({ code: "THAW_DATA_TEMPLATE" });
  });
});

describe("encodeConversation obeys", () => {
  it("an answer that is not learned: it is read, and its tokens have no label", async () => {
    const processor = await testProcessor({ template: QWEN });
    const { spans } = learned(
      processor,
      [user("What is it?", true), { ...assistant("A boat."), isLearned: false }, user("Where?"), assistant("the sea.")],
      1,
    );
    expect(spans).toEqual(["the▁sea.</s>\n"]);
  });

  it("an end token inside an answer: the answer still gets one at its end", async () => {
    const processor = await testProcessor();
    const { ids } = learned(processor, [user("Price?", true), assistant("<s>old</s> new")], 1, "close");
    expect(ids.at(-1)).toBe(processor.endTokenId);
    expect(ids.filter((id) => id === processor.endTokenId)).toHaveLength(2);
  });

  it("an end token that blanks follow: it gets no second one", async () => {
    const processor = await testProcessor({ template: QWEN });
    const { ids } = learned(processor, [user("What?", true), assistant("A boat.")], 1, "close");
    expect(ids.filter((id) => id === processor.endTokenId)).toHaveLength(2);
  });

  it("a generation prompt that opens a thought which the answer does not have", async () => {
    const thinking = QWEN.replace("<s>assistant\n{% endif %}", "<s>assistant\n<think>\n{% endif %}");
    const processor = await testProcessor({ template: thinking });
    const { spans } = learned(processor, [user("What is it?", true), assistant("A boat.")], 1);
    expect(spans).toEqual(["A▁boat.</s>\n"]);
  });
});

describe("a chat template sees what transformers gives it", () => {
  const asking = "{% if tools is not none %}[TOOLS]{% endif %}{% if documents is not none %}[DOCS]{% endif %}" + QWEN;

  it("no tools and no documents as none, and every named token", async () => {
    const processor = await testProcessor({ template: asking });
    const options = { source: "test", special: { named: { boi_token: "[I]" } }, placeholders: { image: "<image>" } };
    const rendered = compileChatTemplate(`{{ boi_token }}${asking}`, options).render([user("Hi")]);
    expect(rendered).toBe("[I]<s>user\nHi</s>\n");
    expect(processor.template?.render([user("Hi")])).toBe("<s>user\nHi</s>\n");
  });
});

it("puts images and sounds into their own places, whatever order a template shows them in", async () => {
  const reversed =
    "{% for message in messages %}<s>{% for part in message['content'] | reverse %}{% if part['type'] == 'image' %}" +
    "<image>{% elif part['type'] == 'audio' %}<audio>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}";
  const processor = await testProcessor({ template: reversed, audio: true });
  const messages: readonly Message[] = [
    { role: "user", content: [{ type: "image" }, { type: "audio" }, { type: "image" }, { type: "text", text: "A" }] },
    assistant("Green."),
  ];
  const { image, audio } = processor.media;
  const plans = [image!.plan(), audio!.plan({ sampleCount: 480 }), image!.plan()];
  const { tokenIds, columns } = encodePrompt(processor, messages, { plans, origin: "test" });
  expect(columns.map(({ length }) => length)).toEqual([4, 3, 4]);
  expect(columns.map((places) => [...new Set([...places].map((at) => tokenIds[at]))])).toEqual([[332], [331], [332]]);
  // Shown backwards: the last image, the sound, the first image; features go to placeholders of their kind in order.
  expect([columns[0]![0]! < columns[1]![0]!, columns[1]![0]! < columns[2]![0]!]).toEqual([true, true]);
  const missing = { plans: plans.slice(1), origin: "test" };
  expect(() => encodePrompt(processor, messages, missing)).toThrow(
    expect.objectContaining({ code: "THAW_DATA_PLACEHOLDER_MISMATCH" }),
  );
});
