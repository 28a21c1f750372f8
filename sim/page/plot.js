/* Plots: axes, points and lines as SVG that zooms. Also what the other figures share (R).
 * SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
const R = { draw: {} };

R.svg = (name, attributes, parent, text) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.append(e);
  return e;
};
R.html = (name, attributes, parent, text) => {
  const e = document.createElement(name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.append(e);
  return e;
};
/* 1234567 as 1.23M, 0.00012 as 1.2e-4. */
R.short = (v) => {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 1e15 || a < 1e-3) return v.toExponential(1).replace("e+", "e");
  for (const [size, mark] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (a >= size) return +(v / size).toPrecision(3) + mark;
  return String(+v.toPrecision(3));
};
R.exact = (v) => Number(v).toLocaleString("en", { maximumSignificantDigits: 5 });
R.button = (parent, text, press) => {
  const b = R.html("button", { type: "button" }, parent, text);
  b.addEventListener("click", press);
  return b;
};

/* An axis: from a value to a place and back. Values of a logarithmic one are positive. */
R.scale = (axis, lo, hi, from, to) => {
  const f = axis.log ? Math.log10 : (v) => v;
  const g = axis.log ? (v) => 10 ** v : (v) => v;
  const a = f(lo), b = f(hi) === f(lo) ? f(lo) + 1 : f(hi);
  return {
    lo, hi,
    at: (v) => from + (f(v) - a) / (b - a) * (to - from),
    back: (p) => g(a + (p - from) / (to - from) * (b - a)),
  };
};
R.ticks = (axis, lo, hi, most) => {
  const ticks = [];
  if (axis.log && hi / lo >= 8) {
    const decades = Math.log10(hi / lo);
    const marks = decades > most ? [1] : decades > most / 2.5 ? [1, 3] : [1, 2, 5];
    for (let e = Math.floor(Math.log10(lo)); e <= Math.log10(hi); e++)
      for (const m of marks) if (m * 10 ** e >= lo && m * 10 ** e <= hi) ticks.push(m * 10 ** e);
    const every = Math.ceil(ticks.length / most);
    return ticks.filter((_, i) => i % every === 0);
  }
  const raw = (hi - lo) / most || 1, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * size >= raw) * size;
  for (let i = Math.ceil(lo / step); i * step <= hi; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
};
/* The range of values, a little wider. */
R.range = (axis, values) => {
  let lo = Infinity, hi = -Infinity;
  for (const v of values) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
  if (!(lo <= hi)) return axis.log ? [1, 10] : [0, 1];
  if (axis.log) return lo === hi ? [lo / 2, hi * 2] : [lo / (hi / lo) ** 0.04, hi * (hi / lo) ** 0.04];
  const pad = lo === hi ? Math.abs(lo) || 1 : (hi - lo) * 0.04;
  return [lo - pad, hi + pad];
};
R.axes = (svg, axes, x, y, box) => {
  R.svg("path", { class: "axis", d: `M${box.l} ${box.t}V${box.b}H${box.r}` }, svg);
  for (const t of R.ticks(axes.x, x.lo, x.hi, Math.max(3, (box.r - box.l) / 80))) {
    R.svg("path", { class: "axis", d: `M${x.at(t)} ${box.b}v5` }, svg);
    R.svg("text", { x: x.at(t), y: box.b + 18, "text-anchor": "middle" }, svg, R.short(t));
  }
  for (const t of R.ticks(axes.y, y.lo, y.hi, Math.max(3, (box.b - box.t) / 45))) {
    R.svg("path", { class: "axis", d: `M${box.l} ${y.at(t)}H${box.r}`, opacity: 0.5 }, svg);
    R.svg("text", { x: box.l - 7, y: y.at(t) + 4, "text-anchor": "end" }, svg, R.short(t));
  }
  R.svg("text", { x: box.r, y: box.b + 34, "text-anchor": "end" }, svg, axes.x.name);
  R.svg("text", { x: box.l - 40, y: box.t - 10 }, svg, axes.y.name);
};
/* A pointer drags a frame over the figure: `done` gets its corners. Clicks are none. */
R.frame = (svg, done) => {
  let from = null, frame = null;
  const place = (e) => {
    const r = svg.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  svg.addEventListener("pointerdown", (e) => {
    if (e.pointerType === "mouse" && e.button === 0) from = place(e);
  });
  svg.addEventListener("pointermove", (e) => {
    if (!from) return;
    const [a, b] = place(e);
    if (!frame) frame = R.svg("rect", { fill: "var(--accent)", opacity: 0.15 }, svg);
    for (const [k, v] of [["x", Math.min(a, from[0])], ["y", Math.min(b, from[1])],
      ["width", Math.abs(a - from[0])], ["height", Math.abs(b - from[1])]]) frame.setAttribute(k, v);
  });
  const end = (e) => {
    const start = from, [a, b] = place(e);
    from = null;
    if (frame) frame.remove();
    frame = null;
    if (start && Math.abs(a - start[0]) > 8 && Math.abs(b - start[1]) > 8)
      done(Math.min(a, start[0]), Math.min(b, start[1]), Math.max(a, start[0]), Math.max(b, start[1]));
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointerleave", end);
};

R.draw.plot = (figure, data) => {
  const dashes = ["", "", "6 3", "2 3", "8 3 2 3", "1 3"];
  const colour = (i) => i === 0 ? "var(--accent)" : i === 1 ? "var(--ink)" : `var(--k${1 + (i + 1) % 2})`;
  const paint = (i) => ({ stroke: colour(i), "stroke-dasharray": dashes[i % dashes.length] });
  const all = data.series.flatMap((s) => s.points);
  if (all.length === 0) { figure.remove(); return; }
  const levels = data.lines.filter((l) => "level" in l && (!data.y.log || l.level > 0)).map((l) => l.level);
  const whole = {
    x: R.range(data.x, all.map((p) => p[0])),
    y: R.range(data.y, all.map((p) => p[1]).concat(levels)),
  };
  let view = { ...whole }, scales = null, box = null;
  const holder = R.html("div", {}, figure);
  const read = R.html("div", { class: "read", "aria-live": "polite" }, figure);
  const mark = (svg, s, i, x, y) => s.line ? R.svg("circle", { cx: x, cy: y, r: 2.5, fill: colour(i) }, svg)
    : R.svg("circle", { cx: x, cy: y, r: 4, fill: i === 0 ? colour(i) : "var(--paper)", stroke: colour(i), "stroke-width": 1.5 }, svg);

  const lines = (svg) => {
    for (const l of data.lines) {
      const [a, b] = l.diagonal ? [Math.max(scales.x.lo, scales.y.lo), Math.min(scales.x.hi, scales.y.hi)] : view.x;
      const y = (v) => scales.y.at(l.diagonal ? v : l.level);
      if (!l.diagonal && (l.level < scales.y.lo || l.level > scales.y.hi)) continue;
      R.svg("path", { d: `M${scales.x.at(a)} ${y(a)}L${scales.x.at(b)} ${y(b)}`, stroke: "var(--k2)", "stroke-dasharray": "3 3" }, svg);
      if (l.name) R.svg("text", { x: box.r, y: y(b) - 5, "text-anchor": "end" }, svg, l.name);
    }
  };
  const draw = () => {
    const width = Math.max(240, holder.clientWidth || figure.clientWidth), height = Math.min(400, Math.max(250, width * 0.45));
    box = { l: 48, r: width - 8, t: 26, b: height - 42 };
    scales = { x: R.scale(data.x, ...view.x, box.l, box.r), y: R.scale(data.y, ...view.y, box.b, box.t) };
    const svg = R.svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
    const id = "c" + Math.random().toString(36).slice(2);
    R.svg("rect", { x: box.l - 6, y: box.t - 6, width: box.r - box.l + 14, height: box.b - box.t + 12 },
      R.svg("clipPath", { id }, svg));
    R.axes(svg, data, scales.x, scales.y, box);
    const inner = R.svg("g", { "clip-path": `url(#${id})` }, svg);
    lines(inner);
    data.series.forEach((s, i) => {
      if (s.line && s.points.length > 1)
        R.svg("path", { d: "M" + s.points.map((p) => scales.x.at(p[0]) + " " + scales.y.at(p[1])).join("L"), fill: "none", "stroke-width": 1.75, ...paint(i) }, inner);
      for (const p of s.points) mark(inner, s, i, scales.x.at(p[0]), scales.y.at(p[1]));
    });
    R.frame(svg, (l, t, r, b) => { view = { x: [scales.x.back(l), scales.x.back(r)], y: [scales.y.back(b), scales.y.back(t)] }; draw(); });
    svg.addEventListener("dblclick", reset);
    svg.addEventListener("pointermove", near);
    holder.replaceChildren(svg);
  };
  const near = (e) => {
    const r = holder.getBoundingClientRect();
    let best = null, least = 30 * 30;
    data.series.forEach((s) => s.points.forEach((p) => {
      const d = (scales.x.at(p[0]) - e.clientX + r.left) ** 2 + (scales.y.at(p[1]) - e.clientY + r.top) ** 2;
      if (d < least) { least = d; best = [s, p]; }
    }));
    read.textContent = best ? `${best[1][2] || best[0].name}: ${data.x.name} ${R.exact(best[1][0])}, ${data.y.name} ${R.exact(best[1][1])}` : "";
  };
  const reset = () => { view = { ...whole }; draw(); };
  const zoom = (by) => {
    const part = (axis, scale, a, b) => { const m = (a + b) / 2, h = (b - a) / 2 * by; return [scale.back(m - h), scale.back(m + h)]; };
    view = { x: part(data.x, scales.x, box.l, box.r), y: part(data.y, scales.y, box.b, box.t) };
    draw();
  };
  const legend = R.html("ul", { class: "legend" });
  if (data.series.length > 1)
    data.series.forEach((s, i) => {
      const item = R.html("li", {}, legend), svg = R.svg("svg", { viewBox: "0 0 28 12" }, item);
      if (s.line) R.svg("path", { d: "M0 6H28", "stroke-width": 1.75, ...paint(i) }, svg);
      mark(svg, s, i, 14, 6);
      item.append(s.name);
    });
  const tools = R.html("div", { class: "tools" });
  R.button(tools, "+", () => zoom(0.5)).setAttribute("aria-label", "zoom in");
  R.button(tools, "\u2212", () => zoom(2)).setAttribute("aria-label", "zoom out");
  R.button(tools, "all", reset);
  R.html("span", {}, tools, "or drag a frame; point at a mark to read it");
  figure.append(legend, tools);
  R.wide(holder, draw);
};
/* Draws now and whenever the figure has another width. */
R.wide = (holder, draw) => {
  let last = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth !== last) { last = holder.clientWidth; draw(); }
  }).observe(holder);
  last = holder.clientWidth;
  draw();
};
