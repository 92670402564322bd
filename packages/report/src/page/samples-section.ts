import { isLowerBetter, metricText } from "../run/metric-words.js";
import type { RunData, RunSample } from "../run/run-data.js";
import { html, trusted, type Html } from "./html.js";
import { countText, numberText } from "./text.js";

/** Right, wrong and between are told by a sign and a word, not by colour alone. */
const MARKS = { right: "✓ right", partial: "≈ partly right", wrong: "✗ wrong", none: "" } as const;
/** Samples of an evaluation that are seen at once; the others open below them. */
const SHOWN = 12;
const ORDERS = ["worst first", "best first", "spread over the set"];

/** Samples of the last evaluation that told of some, worst first; scripts offer other orders. */
export function samplesSection(run: Pick<RunData, "samples" | "metrics">): Html {
  const { samples } = run;
  const names = [...new Set(samples.map(({ name }) => name))];
  return html`${names.map((name) =>
    oneEvaluation(
      run,
      name,
      samples.filter((sample) => sample.name === name),
    ),
  )}`;
}

function oneEvaluation(run: Pick<RunData, "metrics">, name: string, samples: readonly RunSample[]): Html {
  const [ranking = ""] = Object.keys(samples[0]!.numbers);
  const isLower = isLowerBetter(run, name, ranking);
  const scoreOf = (sample: RunSample): number => (isLower ? -1 : 1) * numberOf(sample);
  const last = Math.max(...samples.map(({ step }) => step));
  const first = Math.min(...samples.map(({ step }) => step));
  const before = new Map(
    samples.filter(({ step }) => step === first && first < last).map((sample) => [sample.index, sample]),
  );
  const shown = samples.filter(({ step }) => step === last);
  const ranked = shown.toSorted((left, right) => scoreOf(left) - scoreOf(right) || left.index - right.index);
  const cards = ranked.map((sample) =>
    card(sample, before.get(sample.index), { score: scoreOf(sample), mark: isLower ? "none" : markOf(sample) }),
  );
  return html`<h2>Samples: ${name}</h2>
    <p class="soft">
      ${countText(shown.length)} samples after ${countText(last)} steps: the worst, the best, and some spread evenly
      over the set.
    </p>
    <fieldset class="orders" data-orders hidden>
      <legend class="hidden">Order of the samples of ${name}</legend>
      ${ORDERS.map(
        (order, index) =>
          html`<label
            ><input type="radio" name="order-${name}" value="${index}" ${trusted(index === 0 ? " checked" : "")} />
            ${order}</label
          >`,
      )}
    </fieldset>
    <div class="galleries">
      <ul class="gallery">
        ${cards.slice(0, SHOWN)}
      </ul>
      ${
        cards.length <= SHOWN
          ? html``
          : html`<details id="more-${name}">
              <summary>${countText(cards.length - SHOWN)} more<span class="hidden"> samples of ${name}</span></summary>
              <ul class="gallery">
                ${cards.slice(SHOWN)}
              </ul>
            </details>`
      }
    </div>`;
}

function card(
  sample: RunSample,
  before: RunSample | undefined,
  { score, mark }: { readonly score: number; readonly mark: keyof typeof MARKS },
): Html {
  const { index, id, texts, images } = sample;
  const scores = Object.entries(sample.numbers).map(([name, value]) => `${metricText(name)} ${numberText(value)}`);
  const { question, reference, answer, ...others } = texts;
  const rows: (readonly [string, string | undefined])[] = [
    ["question", question],
    ["reference", reference],
    ["answer", answer === "" ? "(nothing)" : answer],
    ...(before === undefined
      ? []
      : [
          [
            `at step ${countText(before.step)}`,
            before.texts["answer"] === "" ? "(nothing)" : before.texts["answer"],
          ] as const,
        ]),
    ...Object.entries(others),
  ];
  return html`<li data-score="${score}" data-index="${index}" class="sample ${mark}">
    ${images.map((image) => html`<img src="${image}" alt="Sample ${id}" />`)}
    <p class="mark ${mark}">${MARKS[mark]} <span class="soft">${scores.join(", ")}</span></p>
    <dl>
      ${rows.flatMap(([name, text]) =>
        text === undefined
          ? []
          : [
              html`<dt>${name}</dt>
                <dd>${text}</dd>`,
            ],
      )}
    </dl>
    <p class="soft id">${id}</p>
  </li>`;
}

/** The first number that was given. */
function numberOf({ numbers }: Pick<RunSample, "numbers">): number {
  return Object.values(numbers)[0] ?? 0;
}

/** Of scores from 0 to 1; others do not tell right from wrong. */
function markOf({ numbers }: Pick<RunSample, "numbers">): keyof typeof MARKS {
  const [value] = Object.values(numbers);
  if (value === undefined || value < 0 || value > 1) return "none";
  return value >= 0.999 ? "right" : value === 0 ? "wrong" : "partial";
}
