/* Rings beside each other: one layer of each pass, in the same scale of time, with one handle.
 * SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
R.draw.ring = (figure, data) => {
  const HOST = 0, COMPUTE = 1, SEND = 3; /* lanes of a span; 2: a collective */
  const spanOf = ([rank, lane, start, took, name, step, critical, peer]) =>
    ({ rank, lane, start, end: start + took, name, step, critical: critical === 1, peer, lone: [] });
  /* Of communication: the times in which its GPU computes nothing. Spans of one GPU come in order. */
  const expose = (spans) => {
    for (const s of spans.filter((x) => x.lane > COMPUTE)) {
      let from = s.start;
      for (const c of spans) {
        if (c.rank !== s.rank || c.lane !== COMPUTE || c.end <= from) continue;
        if (c.start >= s.end) break;
        if (c.start > from) s.lone.push([from, c.start]);
        from = c.end;
      }
      if (from < s.end) s.lone.push([from, s.end]);
    }
  };
  const rings = data.rings.map((r) => {
    const spans = r.spans.map(spanOf).sort((a, b) => a.start - b.start);
    expose(spans);
    return { head: r.head, layer: r.layer, length: r.length, spans, ranks: 1 + spans.reduce((m, s) => Math.max(m, s.rank, s.peer), 0) };
  });
  const longest = Math.max(...rings.map((r) => r.length));
  const first = rings[0].spans.find((s) => s.lane === SEND);
  let now = first ? (first.start + first.end) / 2 : longest * 0.3, timer = 0;
  const grid = R.html("div", { class: "rings" }, figure);

  const title = (r) => `${r.head.kind === "ring" ? "measured " : ""}${r.head.variant}, ${r.head.cp} ranks: ${R.exact(r.head.time_ps / 1e9)} ms, a layer ${R.exact(r.length / 1000)} ms`;
  const label = (r) => r.ranks === r.head.cp && r.head.tp > 1 ? "rank " : "GPU ";
  const place = (r, i) => {
    const a = 2 * Math.PI * i / r.ranks - Math.PI / 2, size = r.ranks > 1 ? 104 : 0;
    return [150 + size * Math.cos(a), 150 + size * Math.sin(a)];
  };
  const radius = (r) => r.ranks > 1 ? Math.min(32, 208 * Math.sin(Math.PI / r.ranks) * 0.3) : 32;
  /* A neighbour's message goes along the circle, others through it. */
  const way = (r, from, to) => {
    const [ax, ay] = place(r, from), [bx, by] = place(r, to), off = radius(r) + 3;
    const d = Math.hypot(bx - ax, by - ay) || 1, ux = (bx - ax) / d, uy = (by - ay) / d;
    const out = (to - from + r.ranks) % r.ranks === 1 ? 0.18 * d : 6;
    return `M${ax + ux * off} ${ay + uy * off}Q${(ax + bx) / 2 + uy * out} ${(ay + by) / 2 - ux * out} ${bx - ux * off} ${by - uy * off}`;
  };

  const dial = (r) => {
    const svg = R.svg("svg", { viewBox: "0 0 300 300", class: "dial", role: "img" });
    for (let i = 0; i < r.ranks && r.ranks > 1; i++) R.svg("path", { class: "way", d: way(r, i, (i + 1) % r.ranks) }, svg);
    const under = r.spans.filter((s) => s.start <= now && now < s.end);
    const isLone = (s) => s.lone.some(([a, b]) => a <= now && now < b);
    for (const s of under.filter((x) => x.lane === SEND && x.peer >= 0)) {
      const kind = isLone(s) ? " exposed" : "";
      const path = R.svg("path", { class: "message" + kind, d: way(r, s.rank, s.peer) }, svg);
      const at = path.getTotalLength ? path.getPointAtLength(path.getTotalLength() * (now - s.start) / (s.end - s.start)) : null;
      if (at) R.svg("circle", { class: "packet" + kind, cx: at.x, cy: at.y, r: Math.min(5, radius(r) / 2.5) }, svg);
    }
    for (let i = 0; i < r.ranks; i++) {
      const [x, y] = place(r, i), mine = under.filter((s) => s.rank === i);
      const work = mine.find((s) => s.lane === COMPUTE) || mine.find((s) => s.lane === 2);
      const host = mine.find((s) => s.lane === HOST);
      R.svg("circle", { class: `rank ${work ? "busy" : "idle waits"}`, cx: x, cy: y, r: radius(r) }, svg);
      if (work && isLone(work)) R.svg("circle", { class: "message exposed", cx: x, cy: y, r: radius(r) }, svg);
      if (radius(r) < 20) continue;
      R.svg("text", { class: "in", x, y: y - 3 }, svg, label(r) + i);
      R.svg("text", { class: "in", x, y: y + 11 }, svg, work ? work.name : host ? "host" : "waits");
    }
    return svg;
  };

  const bars = (r) => {
    const width = Math.max(260, r.holder.clientWidth), left = 46, row = r.ranks > 8 ? 12 : 26, height = r.ranks * row + 22;
    const x = (t) => left + t / longest * (width - left - 2);
    const svg = R.svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
    for (let i = 0; i < r.ranks; i++) R.svg("text", { x: 0, y: i * row + row / 2 }, svg, i % Math.ceil(r.ranks / 16) === 0 ? label(r) + i : "");
    for (const s of r.spans) {
      const w = Math.max(0.4, x(s.end) - x(s.start)), comm = s.lane > COMPUTE, h = row / 2 - 1;
      const y = s.rank * row + (s.lane === SEND || s.lane === HOST ? row / 2 : 0);
      const kind = comm ? "comm" : s.lane === HOST ? "host" : s.name === "attention" ? "attention" : "";
      const e = R.svg("rect", { class: "op " + kind, x: x(s.start), y: y + (s.lane === HOST ? h - 3 : 0), width: w, height: s.lane === HOST ? 3 : h }, svg);
      R.svg("title", {}, e, `${s.name}${s.step >= 0 ? ", step " + s.step : ""}: ${R.exact(s.end - s.start)} us${s.critical ? ", on the critical path" : ""}`);
      for (const [a, b] of s.lone) R.svg("rect", { class: "op lone", x: x(a), y, width: Math.max(0.4, x(b) - x(a)), height: h }, svg);
    }
    for (const t of R.ticks({}, 0, longest, Math.max(3, width / 110)))
      R.svg("text", { x: x(t), y: height - 4, "text-anchor": "middle" }, svg, R.short(t / 1000) + (t === 0 ? "" : " ms"));
    r.cursor = R.svg("path", { class: "cursor" }, svg);
    r.x = x;
    r.height = height - 18;
    svg.addEventListener("pointermove", (e) => {
      if (e.buttons || e.pointerType === "mouse") { now = Math.max(0, Math.min(longest, (e.clientX - svg.getBoundingClientRect().left - left) / (width - left - 2) * longest)); move(); }
    });
    r.holder.replaceChildren(svg);
  };

  for (const r of rings) {
    const cell = R.html("div", {}, grid);
    R.html("h4", {}, cell, title(r));
    r.dial = R.html("div", {}, cell);
    r.holder = R.html("div", {}, cell);
  }
  const tools = R.html("div", { class: "tools" }, figure);
  const play = R.button(tools, "play", () => {
    if (timer) { clearInterval(timer); timer = 0; } else timer = setInterval(() => { now = now + longest / 300 > longest ? 0 : now + longest / 300; move(); }, 40);
    play.textContent = timer ? "stop" : "play";
  });
  const slider = R.html("input", { type: "range", min: 0, max: 1000, "aria-label": "time in the layer" }, tools);
  slider.addEventListener("input", () => { now = longest * slider.value / 1000; move(); });
  const read = R.html("div", { class: "read", "aria-live": "off" }, figure);
  const legend = R.html("ul", { class: "legend" }, figure);
  for (const [kind, text] of [["op attention", "attention"], ["op", "other compute"], ["op host", "host"], ["op comm", "hidden communication"], ["op lone", "exposed communication"]]) {
    const item = R.html("li", {}, legend);
    R.svg("rect", { class: kind, x: 1, y: 1, width: 26, height: 10 }, R.svg("svg", { viewBox: "0 0 28 12" }, item));
    item.append(text);
  }
  const move = () => {
    slider.value = 1000 * now / longest;
    read.textContent = `${R.exact(Math.round(now) / 1000)} ms into the layer`;
    for (const r of rings) {
      r.dial.replaceChildren(dial(r));
      if (r.cursor) r.cursor.setAttribute("d", `M${r.x(now)} 0V${r.height}`);
    }
  };
  for (const r of rings) R.wide(r.holder, () => { bars(r); move(); });
};
