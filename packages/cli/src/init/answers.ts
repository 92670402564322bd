import { defaultCacheFolder, listCandidates, realLoader, resolveBackendOptions } from "@thaw/backend-gpu";
import { countText } from "@thaw/contracts";
import { ThawError, type DatasetFormat } from "@thaw/core";
import { badOption } from "../errors.js";
import { possibleChoices, type TrainChoice } from "./choices.js";
import { dataNote, type ConfigAnswers } from "./config-text.js";
import { dataFacts, findCandidates, modelFacts, type DataFacts, type ModelFacts } from "./facts.js";
import type { Questions } from "./questions.js";

/** What the command line gave. */
export interface GivenAnswers {
  readonly model?: string;
  readonly data?: string;
  readonly train?: string;
  readonly backend?: string;
}

/** Answer that stands for a path to be written. */
const ANOTHER = "";

/** A question whose answer is a path or a name, looked at before it is taken. */
interface PathQuestion<Facts> {
  readonly flag: string;
  readonly message: string;
  readonly expected: string;
  readonly given: string | undefined;
  readonly candidates: readonly string[];
  readonly look: (answer: string) => Promise<Facts>;
}

/**
 * All answers: those that were given, the others asked for, or without `questions` suggested. Undefined where the
 * person leaves.
 * @throws THAW_CLI_OPTION where there is nothing to suggest; what a given model or data set throws
 */
export async function gatherAnswers(
  given: GivenAnswers,
  formats: readonly DatasetFormat[],
  questions: Questions | undefined,
): Promise<ConfigAnswers | undefined> {
  const { models, data: files } = await findCandidates(process.cwd());
  const model = await pathAnswer<ModelFacts>(
    {
      flag: "--model",
      message: "Which checkpoint is trained?",
      expected: "a Hugging Face checkpoint folder, or org/name on the hub",
      given: given.model,
      candidates: models,
      look: modelFacts,
    },
    questions,
  );
  if (model === undefined) return undefined;
  questions?.tell(modelText(model), "step");
  const data = await pathAnswer<DataFacts>(
    {
      flag: "--data",
      message: "What is it trained on?",
      expected: "a file or folder of captions or conversations, iconify:SET, or hub:org/name",
      given: given.data,
      candidates: files,
      look: (answer) => dataFacts(answer, formats),
    },
    questions,
  );
  if (data === undefined) return undefined;
  questions?.tell(dataNote(data), "step");
  const train = await trainAnswer(given.train, model, questions);
  if (train === undefined) return undefined;
  const backend = await backendAnswer(given.backend, questions);
  return backend === undefined ? undefined : { model, data, train, ...backend };
}

async function pathAnswer<Facts>(
  { flag, message, expected, given, candidates, look }: PathQuestion<Facts>,
  questions: Questions | undefined,
): Promise<Facts | undefined> {
  if (given !== undefined) return look(given);
  if (questions === undefined) {
    if (candidates.length === 1) return look(candidates[0]!);
    const several = candidates.length === 0 ? "" : `; here lie ${candidates.slice(0, 5).join(", ")}`;
    throw badOption(flag, undefined, `${expected}${several}`);
  }
  for (;;) {
    const chosen =
      candidates.length === 0
        ? ANOTHER
        : await questions.choose(message, [
            ...candidates.map((value) => ({ value, label: value })),
            { value: ANOTHER, label: "Another one", hint: expected },
          ]);
    const answer = chosen === ANOTHER ? await questions.write(message, expected) : chosen;
    if (answer === undefined) return undefined;
    try {
      return await look(answer);
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      questions.tell(error.message, "error");
    }
  }
}

function modelText({ modelType, components }: ModelFacts): string {
  const parts = components.map(({ name, parameterCount }) => `${name} ${countText(parameterCount)}`);
  return `${modelType}; parameters: ${parts.join(", ")}`;
}

async function trainAnswer(
  given: string | undefined,
  model: ModelFacts,
  questions: Questions | undefined,
): Promise<TrainChoice | undefined> {
  const possible = possibleChoices(model);
  const named = possible.find(({ name }) => name === given);
  if (named !== undefined) return named;
  if (possible.length === 0)
    throw badOption(
      "--model",
      model.given,
      "a checkpoint of which a component can train: those stored in 4 bits cannot",
    );
  if (given !== undefined)
    throw badOption("--train", given, `what this model can train: ${possible.map(({ name }) => name).join(", ")}`);
  if (questions === undefined) return possible[0];
  const answer = await questions.choose(
    "What trains?",
    possible.map(({ name, title, hint }) => ({ value: name, label: title, hint })),
  );
  return possible.find(({ name }) => name === answer);
}

async function backendAnswer(
  given: string | undefined,
  questions: Questions | undefined,
): Promise<Pick<ConfigAnswers, "backend" | "hasBfloat16"> | undefined> {
  const found = listCandidates(
    realLoader(resolveBackendOptions("auto", { projectFolder: process.cwd(), cacheFolder: defaultCacheFolder() })),
  ).filter(({ location }) => location !== undefined);
  const backend =
    given ??
    (questions === undefined
      ? "auto"
      : await questions.choose("What computes?", [
          { value: "auto", label: "auto", hint: `the fastest that starts; here are ${namesOf(found)}` },
          ...found.map(({ entry }) => ({ value: entry.name, label: entry.name, hint: entry.summary })),
        ]));
  if (backend === undefined) return undefined;
  const chosen = backend === "auto" ? found[0] : found.find(({ entry }) => entry.name === backend);
  return { backend, hasBfloat16: chosen?.entry.capabilities.bfloat16 === "yes" };
}

function namesOf(found: readonly { readonly entry: { readonly name: string } }[]): string {
  return found.map(({ entry }) => entry.name).join(", ");
}
