/* The map of the faster variant, and the request under the pointer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
R.draw.map = (figure, data) => {
  const degrees = [...new Set([...Object.keys(data.frontier), ...Object.keys(data.cells)])].map(Number).filter((n) => n > 1).sort((a, b) => a - b);
  if (degrees.length === 0) { figure.remove(); return; }
  const axes = { x: { name: "length: new and cached tokens", log: true }, y: { name: "new tokens", log: true } };
  let cp = degrees.includes(4) ? 4 : degrees[0], request = null;
  const frontier = () => data.frontier[cp] || [], cells = () => data.cells[cp] || [];
  const lengths = degrees.flatMap((n) => (data.frontier[n] || []).map((k) => k[0]).concat((data.cells[n] || []).map((c) => c[0] + c[1])));
  const news = degrees.flatMap((n) => (data.frontier[n] || []).map((k) => k[1]).concat((data.cells[n] || []).map((c) => c[0])));
  const rx = R.range(axes.x, lengths), ry = R.range(axes.y, news);
  let sx = null, sy = null;

  /* New tokens from which on pass-KV is the faster one: a broken line through the knots. */
  const threshold = (length) => {
    const k = frontier();
    if (k.length === 0) return NaN;
    let i = k.findIndex((q) => q[0] >= length);
    if (i <= 0) return i === 0 ? k[0][1] : k[k.length - 1][1];
    const [a, b] = [k[i - 1], k[i]], u = Math.log(length / a[0]) / Math.log(b[0] / a[0]);
    return Math.exp(Math.log(a[1]) + u * Math.log(b[1] / a[1]));
  };
  const nearest = (t, length) => {
    let best = null, least = Infinity;
    for (const c of cells()) {
      const d = Math.log(c[0] / t) ** 2 + Math.log((c[0] + c[1]) / length) ** 2;
      if (d < least) { least = d; best = c; }
    }
    return best;
  };
  const say = () => {
    if (!request) { read.textContent = ""; return; }
    const { t, p } = request, limit = threshold(t + p), c = nearest(t, t + p), parts = [];
    if (Number.isFinite(limit)) parts.push(`${t >= limit ? "pass-KV, which" : "pass-Q; pass-KV"} is the faster one from ${R.exact(Math.round(limit))} new tokens on`);
    if (c) parts.push(`the nearest cell (${R.exact(c[0])} new, ${R.exact(c[1])} cached) takes ${R.exact(c[2])} ms by pass-KV and ${R.exact(c[3])} ms by pass-Q`);
    read.textContent = `${R.exact(t)} new after ${R.exact(p)} cached, ${cp} ranks: ${parts.join("; ")}.`;
  };

  const tools = R.html("div", { class: "tools" }, figure);
  R.html("span", {}, tools, "CP ranks");
  const buttons = degrees.map((n) => R.button(tools, String(n), () => { cp = n; draw(); }));
  const field = (name, value) => {
    const label = R.html("label", {}, tools, name + " ");
    const input = R.html("input", { type: "number", min: name === "T" ? 1 : 0, value }, label);
    input.addEventListener("input", () => {
      const t = Number(newTokens.value), p = Number(cached.value);
      if (t >= 1 && p >= 0) { request = { t, p }; cross(); say(); }
    });
    return input;
  };
  const newTokens = field("T", 4000), cached = field("P", 124000);
  const holder = R.html("div", {}, figure);
  const read = R.html("div", { class: "read", "aria-live": "polite" }, figure);
  const legend = R.html("ul", { class: "legend" }, figure);
  for (const [fill, text] of [["var(--accent)", "pass-KV faster"], ["var(--k1)", "pass-Q faster"]]) {
    const item = R.html("li", {}, legend);
    R.svg("rect", { x: 8, y: 0, width: 12, height: 12, fill }, R.svg("svg", { viewBox: "0 0 28 12" }, item));
    item.append(text);
  }
  R.html("li", {}, legend, "the paler, the closer");

  let mark = null, box = null;
  const cross = () => {
    const length = request ? request.t + request.p : 0;
    mark.setAttribute("visibility", request ? "visible" : "hidden");
    if (request) mark.setAttribute("d", `M${sx.at(length)} ${box.t}V${box.b}M${box.l} ${sy.at(request.t)}H${box.r}`);
  };
  const draw = () => {
    const width = Math.max(240, holder.clientWidth), height = Math.min(480, Math.max(300, width * 0.6));
    box = { l: 48, r: width - 8, t: 26, b: height - 42 };
    sx = R.scale(axes.x, ...rx, box.l, box.r);
    sy = R.scale(axes.y, ...ry, box.b, box.t);
    const svg = R.svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
    R.axes(svg, axes, sx, sy, box);
    const all = cells(), size = Math.max(3, Math.min(14, (box.r - box.l) / Math.sqrt(all.length || 1) * 0.7));
    for (const [t, p, kv, q] of all) {
      const gain = Math.min(1, Math.abs(Math.log(kv / q)) / 0.1);
      R.svg("rect", { x: sx.at(t + p) - size / 2, y: sy.at(t) - size / 2, width: size, height: size, fill: kv < q ? "var(--accent)" : "var(--k1)", opacity: 0.25 + 0.75 * gain }, svg);
    }
    const k = frontier();
    if (k.length > 1) {
      const edge = (i) => k.map((q) => `${sx.at(q[0])} ${sy.at(Math.max(q[i], ry[0]))}`);
      R.svg("path", { d: "M" + edge(2).concat(edge(3).reverse()).join("L") + "Z", fill: "var(--k2)", opacity: 0.35 }, svg);
      R.svg("path", { d: "M" + edge(1).join("L"), fill: "none", stroke: "var(--ink)", "stroke-width": 2 }, svg);
      const m = k[Math.floor(k.length * 0.6)];
      R.svg("text", { x: sx.at(m[0]) - 8, y: Math.max(box.t + 12, sy.at(m[1]) - 30), "text-anchor": "end", class: "halo" }, svg, "pass-KV");
      R.svg("text", { x: Math.min(box.r - 50, sx.at(m[0]) + 12), y: Math.min(box.b - 6, sy.at(m[1]) + 36), class: "halo" }, svg, "pass-Q");
    }
    mark = R.svg("path", { class: "cursor", visibility: "hidden" }, svg);
    const point = (e) => {
      const r = svg.getBoundingClientRect(), length = sx.back(e.clientX - r.left), t = sy.back(e.clientY - r.top);
      if (t < 1 || t > length) return; /* no request has more new tokens than tokens */
      request = { t: Math.round(t), p: Math.round(length - t) };
      newTokens.value = request.t;
      cached.value = request.p;
      cross();
      say();
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    holder.replaceChildren(svg);
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", degrees[i] === cp));
    cross();
    say();
  };
  request = { t: 4000, p: 124000 };
  R.wide(holder, draw);
};
