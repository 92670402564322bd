// @ts-check
// What the page runs: plots with values under the pointer, orders of samples, and of a live page its news.
(() => {
  "use strict";

  /** @type {Map<Element, any>} */
  const plots = new Map();
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2], [12, 4]];

  /** @param {string} name */
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** @param {number | null | undefined} value */
  function number(value) {
    if (value === null || value === undefined) return "-";
    const isFar = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6);
    return isFar ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  }

  /** Upright lines where a run was taken up again. @param {readonly number[]} marks */
  const marked = (marks) => (/** @type {any} */ plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--soft");
    ctx.setLineDash([4, 4]);
    for (const step of marks) {
      const x = Math.round(plot.valToPos(step, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };

  /** What stays the same is shown in the middle. */
  const range = (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => {
    const pad = high > low ? 0.08 * (high - low) : Math.max(1e-3, 0.2 * Math.abs(low));
    return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
  };

  /** @param {HTMLElement} figure */
  function draw(figure) {
    const place = /** @type {HTMLElement} */ (figure.querySelector(".plot"));
    const width = place.clientWidth;
    if (width === 0) return;
    const chart = JSON.parse(/** @type {Element} */ (figure.querySelector("script")).textContent);
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--soft"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const shown = (/** @type {(number | null)[]} */ values) =>
      chart.isLogarithmic ? values.map((value) => (value !== null && value > 0 ? value : null)) : values;
    const series = chart.lines.map((/** @type {any} */ line, /** @type {number} */ index) => ({
      label: line.name,
      value: (/** @type {any} */ _, /** @type {number | null} */ value) => number(value),
      spanGaps: true,
      stroke: colour(`--curve-${chart.colours[index]}`),
      width: line.look === "faint" ? 1 : 2,
      alpha: line.look === "faint" ? 0.4 : 1,
      dash: line.look === "level" ? [4, 4] : DASHES[chart.colours[index] - 1],
      points: { show: line.look === "points" || chart.steps.length <= 12, size: 6 },
    }));
    const options = {
      width,
      height: figure.classList.contains("wide") ? 300 : 220,
      cursor: { y: false },
      scales: { x: { time: false }, y: chart.isLogarithmic ? { distr: 3 } : { range } },
      axes: [
        { ...axis, size: 34 },
        {
          ...axis,
          size: 62,
          values: (/** @type {any} */ _, /** @type {(number | null)[]} */ ticks) =>
            ticks.map((tick) => (tick === null ? "" : number(tick))),
        },
      ],
      series: [{ label: "step" }, ...series],
      hooks: { draw: [marked(chart.marks)] },
    };
    plots.get(figure)?.destroy();
    for (const child of place.children) child.setAttribute("hidden", "");
    figure.querySelector(".legend")?.setAttribute("hidden", "");
    // @ts-expect-error: uPlot stands before this script
    const plot = new uPlot(options, [chart.steps, ...chart.lines.map((line) => shown(line.values))], place);
    plots.set(figure, plot);
  }

  /** @param {ParentNode} part */
  function drawAll(part) {
    for (const figure of part.querySelectorAll("figure[data-chart]")) draw(/** @type {HTMLElement} */ (figure));
  }

  /** The order that each evaluation's samples are in, where it is not the first. @type {Map<string, string>} */
  const orders = new Map();

  /** @param {Element} field */
  function order(field) {
    const lists = field.nextElementSibling?.querySelectorAll("ul.gallery") ?? [];
    const items = [...lists].flatMap((list) => [...list.children]);
    const shownCount = lists[0]?.children.length ?? 0;
    const chosen = /** @type {HTMLInputElement | null} */ (field.querySelector("input:checked"))?.value;
    const key = (/** @type {any} */ item) => Number(chosen === "2" ? item.dataset.index : item.dataset.score);
    const sign = chosen === "1" ? -1 : 1;
    items.sort((left, right) => sign * (key(left) - key(right)));
    lists[0]?.append(...items.slice(0, shownCount));
    lists[1]?.append(...items.slice(shownCount));
  }

  /** @param {ParentNode} part */
  function offerOrders(part) {
    for (const field of part.querySelectorAll("fieldset[data-orders]")) {
      const inputs = /** @type {HTMLInputElement[]} */ ([...field.querySelectorAll("input")]);
      const name = inputs[0]?.name ?? "";
      for (const input of inputs) if (orders.get(name) === input.value) input.checked = true;
      field.removeAttribute("hidden");
      if (orders.has(name)) order(field);
      field.addEventListener("change", () => {
        orders.set(name, inputs.find(({ checked }) => checked)?.value ?? "0");
        order(field);
      });
    }
  }

  /** Opens what a link inside the page points at. */
  function openTarget() {
    const target =
      location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const details = target?.closest("details");
    if (details) details.open = true;
  }

  /** @param {ParentNode} part */
  function start(part) {
    drawAll(part);
    offerOrders(part);
    // What is closed has no width to draw in
    for (const details of part.querySelectorAll("details"))
      details.addEventListener("toggle", () => details.open && drawAll(details));
  }

  addEventListener("hashchange", openTarget);
  // A second click on the same box of the model changes no hash
  addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest('a[href^="#"]')) setTimeout(openTarget);
  });
  /** Puts a part of a live page in place of the one before, with what was opened and where it was. */
  function replace(/** @type {string} */ id, /** @type {string} */ text) {
    const part = document.getElementById(id);
    if (part === null) return;
    const opened = new Set([...part.querySelectorAll("details[open]")].map((details) => details.id));
    const focused = part.contains(document.activeElement) ? document.activeElement?.closest("[id]")?.id : undefined;
    for (const [figure, plot] of plots)
      if (part.contains(figure)) {
        plot.destroy();
        plots.delete(figure);
      }
    part.innerHTML = text;
    for (const details of part.querySelectorAll("details")) details.open = opened.has(details.id);
    start(part);
    const again = focused === undefined ? null : document.getElementById(focused);
    const target = again instanceof HTMLDetailsElement ? again.querySelector("summary") : again;
    target?.focus({ preventScroll: true });
  }

  /** Follows a run that goes on, and offers to stop it. */
  function follow() {
    const token = new URLSearchParams(location.search).get("token") ?? "";
    const news = /** @type {HTMLElement} */ (document.getElementById("news"));
    const button = /** @type {HTMLButtonElement} */ (document.getElementById("stop"));
    const events = new EventSource(`/events?token=${encodeURIComponent(token)}`);
    let isLost = false;
    events.addEventListener("parts", ({ data }) => {
      for (const [id, text] of Object.entries(JSON.parse(data))) replace(id, text);
      if (isLost) news.textContent = "This page shows the run as it goes.";
      isLost = false;
      document.title = `${document.querySelector("#name")?.textContent} - ${
        document.querySelector(".status b")?.textContent
      } - Thaw`;
    });
    events.addEventListener("over", ({ data }) => {
      events.close();
      news.textContent = data;
      button.hidden = true;
    });
    events.addEventListener("error", () => {
      isLost = true;
      const time = new Date().toLocaleTimeString();
      news.textContent =
        `No word from the run since ${time}: its process has ended, or is cut off. What it measured until then is ` +
        "below; thaw report shows what is in its folder.";
    });
    async function stop() {
      if (!confirm("Stop the run after this step? A checkpoint is written, from which it can go on.")) return;
      button.disabled = true;
      const answer = await fetch("/stop", { method: "POST", headers: { "x-thaw-token": token } }).catch(
        () => undefined,
      );
      if (answer?.ok === true) news.textContent = "The run stops after this step.";
      else button.disabled = false;
    }
    button.addEventListener("click", () => void stop());
  }

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) drawAll(document);
    width = innerWidth;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  start(document);
  openTarget();
  if (document.documentElement.hasAttribute("data-live")) follow();
})();
