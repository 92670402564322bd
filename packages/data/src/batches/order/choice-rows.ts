import type { Sample, SampleSet } from "@thaw/contracts";

/** A choice of a sample. */
export interface ChoiceRow {
  readonly index: number;
  readonly choice: number;
}

/** The choices of these samples, one after the other; samples without any have no row. */
export async function choiceRows(samples: SampleSet, indices: readonly number[]): Promise<readonly ChoiceRow[]> {
  const rows: ChoiceRow[] = [];
  for (const index of indices) {
    const { choices } = await samples.read(index);
    for (const choice of (choices?.answers ?? []).keys()) rows.push({ index, choice });
  }
  return rows;
}

/** The sample with this choice as its last answer, the only one that is learned. */
export function withChoice(sample: Sample, choice: number): Sample {
  const text = sample.choices!.answers[choice]!;
  const questions = sample.messages
    .slice(0, -1)
    .map((message) => (message.role === "assistant" ? { ...message, isLearned: false } : message));
  return { ...sample, messages: [...questions, { role: "assistant", content: [{ type: "text", text }] }] };
}
