import { type ChatTemplate, type Message, templateFailed } from "@thaw/data";

/**
 * How PaliGemma writes a question and its answer: pictures, the beginning token, the question, a line break, the
 * answer, the end token. There is no chat. Source: transformers 5.24, `processing_paligemma.py`.
 */
export function paliGemmaTemplate(
  source: string,
  { image, bos, eos }: Readonly<Record<"image" | "bos" | "eos", string>>,
): ChatTemplate {
  return {
    render(messages) {
      const [question, answer, ...more] = messages;
      if (question?.role !== "user" || (answer !== undefined && answer.role !== "assistant") || more.length > 0)
        throw templateFailed(source, new Error("PaliGemma reads one question and its answer, without a system prompt"));
      const pictures = question.content.filter(({ type }) => type !== "text").map(() => image);
      const prompt = `${pictures.join("")}${bos}${textOf(question)}\n`;
      return answer === undefined ? prompt : `${prompt}${textOf(answer)}${eos}`;
    },
  };
}

function textOf({ content }: Message): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}
