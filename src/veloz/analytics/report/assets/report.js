"use strict";
// Charts and the table of trades. Texts of the run become text nodes, never markup.
(() => {
const D = JSON.parse(document.getElementById("run").textContent);
const NS = "http://www.w3.org/2000/svg";
const all = (s, r = document) => [...r.querySelectorAll(s)];
const one = (s, r = document) => r.querySelector(s);
const node = (tag, attrs, parent, text) => {
  const e = document.createElement(tag);
  for (const k in attrs || {}) e.setAttribute(k, attrs[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.append(e);
  return e;
};
const draw = (tag, attrs, parent, text) => {
  const e = document.createElementNS(NS, tag);
  for (const k in attrs || {}) e.setAttribute(k, attrs[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.append(e);
  return e;
};
const clamp = (v, a, b) => Math.max(a, Math.min(b, v));

// --- numbers and times -------------------------------------------------------------------
const group = (v, places) => {
  if (v === null || v === undefined) return "n/a";
  const fixed = Math.abs(v).toFixed(places).split(".");
  const whole = fixed[0].replace(/\B(?=(\d{3})+$)/g, ",");
  const text = fixed[1] ? whole + "." + fixed[1] : whole;
  return (v < 0 && Number(fixed.join(".")) !== 0 ? "\u2212" : "") + text;
};
const signed = (v, places) => (v > 0 ? "+" : "") + group(v, places);
const pct = (v, places = 2) => v === null ? "n/a" : signed(v * 100, places) + "\u202f%";
const even = values => { const top = Math.max(0, ...values.map(v => Math.abs(v || 0))); return v => group(v, top >= 1 || top === 0 ? 2 : 6); };
const money = v => group(v, v !== null && Math.abs(v) < 1 && v !== 0 ? 6 : 2);
const short = v => {
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 1e9) return group(v / 1e9, 2) + " bn";
  if (a >= 1e6) return group(v / 1e6, 2) + " M";
  return group(v, a >= 1000 ? 0 : a >= 10 ? 1 : a >= 0.1 ? 2 : 5);
};
const MON = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const two = n => String(n).padStart(2, "0");
const stamp = s => { const d = new Date(s * 1000); return d.getUTCDate() + " " + MON[d.getUTCMonth()] + " " + d.getUTCFullYear() + " " + two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()); };
const brief = s => { const d = new Date(s * 1000); return d.toISOString().slice(0, 16).replace("T", " "); };
const tenth = v => (Math.round(v * 10) / 10).toString();
const span = s => s >= 86400 ? tenth(s / 86400) + " d" : s >= 3600 ? tenth(s / 3600) + " h" : s >= 60 ? Math.round(s / 60) + " min" : s + " s";
const STEPS = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 604800, 1209600];
const timeTicks = (a, b, count) => {
  const step = STEPS.find(s => (b - a) / s <= count);
  const out = [];
  if (step) { for (let t = Math.ceil(a / step) * step; t <= b; t += step) out.push([t, step < 86400 && t % 86400 ? two(new Date(t * 1000).getUTCHours()) + ":" + two(new Date(t * 1000).getUTCMinutes()) : dayName(t)]); return out; }
  const d = new Date(a * 1000); let y = d.getUTCFullYear(), m = d.getUTCMonth() + 1;
  const months = (b - a) / 2629746, by = [1, 2, 3, 6, 12, 24, 60, 120].find(k => months / k <= count) || 240;
  for (;;) { const t = Date.UTC(y, m, 1) / 1000; if (t > b) break; const e = new Date(t * 1000); if ((e.getUTCFullYear() * 12 + e.getUTCMonth()) % by === 0) out.push([t, e.getUTCMonth() ? MON[e.getUTCMonth()] : String(e.getUTCFullYear())]); m++; }
  return out;
};
const dayName = t => { const d = new Date(t * 1000); return d.getUTCDate() + " " + MON[d.getUTCMonth()]; };
const valueTicks = (a, b, count) => {
  const raw = (b - a) / count || 1, p = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * p).find(s => s >= raw * 0.72);
  const out = []; for (let v = Math.ceil(a / step - 1e-9) * step; v <= b + step * 1e-9; v += step) out.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return out;
};

// --- frame of a chart --------------------------------------------------------------------
const PAD = { l: 6, r: 62, t: 10, b: 22 };
const frame = (el, lo, hi, t0, t1, fmt, log) => {
  const w = el.clientWidth, h = el.clientHeight;
  for (const e of all("svg", el)) e.remove();
  const root = draw("svg", { viewBox: `0 0 ${w} ${h}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" });
  el.prepend(root);
  const f = log ? Math.log : v => v, a = f(lo), b = f(hi) === f(lo) ? f(lo) + 1 : f(hi);
  const x = t => PAD.l + (t - t0) / (t1 - t0 || 1) * (w - PAD.l - PAD.r);
  const y = v => PAD.t + (b - f(v)) / (b - a) * (h - PAD.t - PAD.b);
  const ticks = valueTicks(lo, hi, Math.max(3, Math.round(h / 62))).filter(v => !log || v > 0);
  for (const v of ticks) {
    draw("line", { class: v === 0 ? "zero" : "grid", x1: PAD.l, x2: w - PAD.r, y1: y(v), y2: y(v) }, root);
    draw("text", { x: w - PAD.r + 7, y: y(v) + 3.5 }, root, fmt(v));
  }
  let last = -99;
  for (const [t, name] of timeTicks(t0, t1, Math.max(2, Math.floor(w / 95)))) {
    const at = x(t);
    if (at - last < 46 || at < 14 || at > w - PAD.r - 8) continue;
    last = at;
    draw("line", { class: "grid", x1: at, x2: at, y1: PAD.t, y2: h - PAD.b }, root);
    draw("text", { x: at, y: h - 6, "text-anchor": "middle" }, root, name);
  }
  return { root, x, y, w, h, t0, t1, inv: px => t0 + (px - PAD.l) / (w - PAD.l - PAD.r) * (t1 - t0) };
};
const pathOf = (c, t, v, step) => {
  let d = "";
  for (let i = 0; i < t.length; i++) {
    if (v[i] === null) continue;
    const px = c.x(t[i]).toFixed(1), y = c.y(v[i]).toFixed(1);
    d += !d ? `M${px} ${y}` : step ? `H${px}V${y}` : `L${px} ${y}`;
  }
  return d;
};
const nearest = (t, at) => {
  let a = 0, b = t.length - 1;
  while (b - a > 1) { const m = (a + b) >> 1; t[m] <= at ? a = m : b = m; }
  return Math.abs(t[b] - at) < Math.abs(t[a] - at) ? b : a;
};
const atOrBefore = (t, at) => { let a = 0, b = t.length; while (b - a > 1) { const m = (a + b) >> 1; t[m] <= at ? a = m : b = m; } return a; };

const tipOf = el => one(".tip", el) || node("div", { class: "tip" }, el);
const fillTip = (el, title, rows, px) => {
  const tip = tipOf(el); tip.textContent = "";
  node("p", {}, tip, title);
  for (const [name, value] of rows) { const r = node("div", {}, tip); node("span", {}, r, name); node("b", {}, r, value); }
  tip.style.display = "block";
  const left = px > el.clientWidth / 2 ? px - tip.offsetWidth - 14 : px + 14;
  tip.style.left = clamp(left, 0, Math.max(0, el.clientWidth - tip.offsetWidth)) + "px";
  tip.style.top = "12px";
};
const hideTip = el => { const t = one(".tip", el); if (t) t.style.display = "none"; };

// --- curves through time, with one crosshair ----------------------------------------------
const curves = [];
const isLog = { on: false };
const hold = { on: true };
const curve = (name, build) => {
  const el = one(`[data-chart=${name}]`); if (!el) return;
  const it = { el, build, c: null, at: null };
  curves.push(it);
  const hover = t => { for (const k of curves) cross(k, t, k === it); };
  el.addEventListener("pointermove", e => { if (it.c) hover(clamp(it.c.inv(e.clientX - el.getBoundingClientRect().left), D.start, D.end)); });
  el.addEventListener("pointerleave", () => { for (const k of curves) cross(k, null); });
  el.addEventListener("blur", () => { for (const k of curves) cross(k, null); });
  el.addEventListener("keydown", e => {
    const step = (D.end - D.start) / (e.shiftKey ? 20 : 200), now = it.at ?? D.end;
    if (e.key === "ArrowLeft") hover(clamp(now - step, D.start, D.end));
    else if (e.key === "ArrowRight") hover(clamp(now + step, D.start, D.end));
    else if (e.key === "Home") hover(D.start); else if (e.key === "End") hover(D.end); else return;
    e.preventDefault();
  });
};
const cross = (it, t, withTip) => {
  it.at = t;
  for (const e of all(".hover", it.el)) e.remove();
  if (t === null || !it.c) { hideTip(it.el); return; }
  const g = draw("g", { class: "hover" }, it.c.root), px = it.c.x(t);
  draw("line", { class: "cross", x1: px, x2: px, y1: PAD.t, y2: it.c.h - PAD.b }, g);
  const rows = it.rows(t, g);
  if (withTip) fillTip(it.el, stamp(t) + " UTC", rows, px); else hideTip(it.el);
};
const E = D.equity, U = D.depth, X = D.exposure, B = D.benchmark;
const extent = (lists, pad = 0.04) => {
  let a = Infinity, b = -Infinity;
  for (const l of lists) for (const v of l) if (v !== null) { if (v < a) a = v; if (v > b) b = v; }
  if (!isFinite(a)) return [0, 1];
  const room = (b - a || Math.abs(a) || 1) * pad; return [a - room, b + room];
};
curve("equity", it => {
  const bench = B && hold.on;
  let [lo, hi] = extent(bench ? [E.v, B.v] : [E.v]);
  const low = Math.min(...E.v.filter(v => v !== null), ...(bench ? B.v : []));
  const log = isLog.on && low > 0;
  if (log) lo = Math.max(lo, low * 0.97);
  const c = it.c = frame(it.el, lo, hi, D.start, D.end, short, log);
  const d = pathOf(c, E.t, E.v);
  draw("path", { class: "area", d: `${d}L${c.x(E.t[E.t.length - 1])} ${c.h - PAD.b}L${c.x(E.t[0])} ${c.h - PAD.b}Z` }, c.root);
  if (bench) draw("path", { class: "line b", d: pathOf(c, B.t, B.v) }, c.root);
  draw("path", { class: "line", d }, c.root);
  draw("text", { x: PAD.l + 6, y: PAD.t + 8 }, c.root, bench ? "\u2014 equity   \u2504 hold " + B.name : "\u2014 equity");
  it.rows = (t, g) => {
    const i = atOrBefore(E.t, t), rows = [["Equity", money(E.v[i]) + " " + D.currency], ["Return", pct(E.v[i] / E.v[0] - 1)]];
    draw("circle", { class: "dot", cx: c.x(t), cy: c.y(E.v[i]), r: 3.5 }, g);
    if (B) rows.push(["Hold", pct(B.v[atOrBefore(B.t, t)] / B.v[0] - 1)]);
    rows.push(["Drawdown", pct(U.v[atOrBefore(U.t, t)])]);
    return rows;
  };
});
curve("depth", it => {
  const [lo] = extent([U.v, [0]], 0.08);
  const c = it.c = frame(it.el, lo, 0, D.start, D.end, v => v === 0 ? "0 %" : group(v * 100, Math.abs(lo) < 0.05 ? 2 : 0) + " %");
  const d = pathOf(c, U.t, U.v);
  draw("path", { class: "area d", d: `${d}L${c.x(U.t[U.t.length - 1])} ${c.y(0)}L${c.x(U.t[0])} ${c.y(0)}Z` }, c.root);
  draw("path", { class: "line d", d }, c.root);
  it.rows = t => [["Drawdown", pct(U.v[atOrBefore(U.t, t)])]];
});
if (X) curve("exposure", it => {
  const [lo, hi] = extent([X.v, X.gross, [0]]);
  const c = it.c = frame(it.el, lo, hi, D.start, D.end, short);
  const d = pathOf(c, X.t, X.v, true);
  draw("path", { class: "area", d: `${d}V${c.y(0)}H${c.x(X.t[0])}Z` }, c.root);
  draw("path", { class: "line g", d: pathOf(c, X.t, X.gross, true) }, c.root);
  draw("path", { class: "line", d }, c.root);
  it.rows = t => { const i = atOrBefore(X.t, t); return [["Net", money(X.v[i])], ["Gross", money(X.gross[i])]]; };
});
else { one("[data-chart=exposure]").remove(); one("#exposure-title").remove(); }

// --- distribution ---------------------------------------------------------------------------
const bins = () => {
  const el = one("[data-chart=bins]"), H = D.bins;
  if (!el) return;
  if (!H) { el.replaceWith(node("p", { class: "empty" }, null, "Fewer than five different days: no distribution.")); return; }
  const w = el.clientWidth, h = el.clientHeight, n = H.counts.length, top = Math.max(...H.counts);
  for (const e of all("svg", el)) e.remove();
  const root = draw("svg", { viewBox: `0 0 ${w} ${h}`, preserveAspectRatio: "xMidYMid meet" }); el.prepend(root);
  const x = i => PAD.l + i / n * (w - PAD.l - 34), y = v => PAD.t + (1 - v / top) * (h - PAD.t - PAD.b);
  for (const v of valueTicks(0, top, 4)) if (v % 1 === 0) { draw("line", { class: "grid", x1: PAD.l, x2: w - 34, y1: y(v), y2: y(v) }, root); draw("text", { x: w - 28, y: y(v) + 3.5 }, root, String(v)); }
  H.counts.forEach((v, i) => {
    const from = (H.first + i) * H.width, bar = draw("rect", { class: from < -H.width / 2 ? "cd" : "cu", x: x(i) + 1, width: Math.max(1, x(i + 1) - x(i) - 2), y: y(v), height: Math.max(0, y(0) - y(v)), rx: 1.5 }, root);
    const to = from + H.width, low = i === 0 && H.folded[0], high = i === n - 1 && H.folded[1];
    draw("title", {}, bar, `${low ? `below ${pct(to)}` : high ? `${pct(from)} and above` : `${pct(from)} to ${pct(to)}`}: ${v} day${v === 1 ? "" : "s"}`);
  });
  const every = Math.ceil(n / Math.max(2, Math.floor(w / 70)));
  const places = H.width * 100 < 0.1 ? 2 : H.width * 100 < 1 ? 1 : 0;
  for (let i = 0; i <= n; i++) if ((H.first + i) % every === 0) draw("text", { x: x(i), y: h - 6, "text-anchor": "middle" }, root, group((H.first + i) * H.width * 100, places) + " %");
};

// --- candles --------------------------------------------------------------------------------
const T = D.trips, words = T.words, count = T.entry.length;
const S = D.candles.map(k => {
  const unit = 10 ** k.scale, n = k.i.length, out = { symbol: k.symbol, step: k.step, scale: k.scale, t: [], o: [], h: [], l: [], c: [] };
  let at = 0, o = 0;
  for (let i = 0; i < n; i++) {
    at += k.i[i]; o += k.o[i];
    const c = o + k.c[i];
    out.t.push(k.t0 + at * k.step); out.o.push(o / unit); out.c.push(c / unit);
    out.h.push((Math.max(o, c) + k.h[i]) / unit); out.l.push((Math.min(o, c) - k.l[i]) / unit);
  }
  return out;
});
const V = { el: one("[data-chart=candles]"), s: 0, a: 0, b: 0, trip: -1, c: null };
const fit = () => { const k = S[V.s]; V.a = 0; V.b = k.t.length; V.trip = -1; };
const zoom = (factor, about = 0.5) => {
  const n = S[V.s].t.length, width = clamp((V.b - V.a) * factor, Math.min(20, n), n), mid = V.a + (V.b - V.a) * about;
  V.a = clamp(mid - width * about, 0, n - width); V.b = V.a + width; candles();
};
const pan = by => { const n = S[V.s].t.length, w = V.b - V.a; V.a = clamp(V.a + by, 0, n - w); V.b = V.a + w; candles(); };
const shownTrips = () => {
  const k = S[V.s], t0 = k.t[Math.floor(V.a)], t1 = k.t[Math.min(k.t.length - 1, Math.ceil(V.b) - 1)] + k.step, out = [];
  for (let i = 0; i < count; i++) if (words[T.symbol[i]] === k.symbol && T.entry[i] <= t1 && (T.exit[i] || D.end) >= t0) out.push(i);
  return out;
};
const candles = () => {
  const el = V.el; if (!el || !S.length) return;
  hideTip(el);
  const k = S[V.s], a = Math.floor(V.a), b = Math.min(k.t.length, Math.ceil(V.b));
  const room = Math.max(20, Math.floor((el.clientWidth - 70) / 5));
  let m = Math.max(1, Math.ceil((b - a) / room));
  const round = STEPS.find(s => s % k.step === 0 && s >= k.step * m);
  if (round) m = round / k.step;
  const q = [], size = k.step * m;  // by time and not by count: a candle never reaches over a hole
  for (let i = a; i < b;) {
    const t = Math.floor(k.t[i] / size) * size; let e = i, h = -Infinity, l = Infinity;
    for (; e < b && k.t[e] < t + size; e++) { if (k.h[e] > h) h = k.h[e]; if (k.l[e] < l) l = k.l[e]; }
    q.push([t, k.o[i], h, l, k.c[e - 1], t + size]);
    i = e;
  }
  const [lo, hi] = extent([q.map(r => r[2]), q.map(r => r[3])], 0.06);
  const t0 = q[0][0], t1 = q[q.length - 1][5];
  const c = V.c = frame(el, lo, hi, t0, t1, v => group(v, hi - lo > 50 ? 0 : Math.min(k.scale, hi - lo > 2 ? 2 : 6)));
  V.q = q;
  const wide = Math.max(1, (c.x(k.step * m) - c.x(0)) * 0.66);
  const d = ["", ""], wick = ["", ""];
  for (const [t, o, h, l, e, end] of q) {
    const up = e >= o ? 0 : 1, x = (c.x(t) + c.x(end)) / 2, y0 = c.y(Math.max(o, e)), y1 = Math.max(c.y(Math.min(o, e)), y0 + 0.8);
    const X1 = x.toFixed(1), L = (x - wide / 2).toFixed(1);
    wick[up] += `M${X1} ${c.y(h).toFixed(1)}V${y0.toFixed(1)}M${X1} ${y1.toFixed(1)}V${c.y(l).toFixed(1)}`;
    d[up] += `M${L} ${y0.toFixed(1)}h${wide.toFixed(1)}V${y1.toFixed(1)}h${(-wide).toFixed(1)}Z`;
  }
  ["upc", "downc"].forEach((cls, i) => { draw("path", { class: cls, d: wick[i] }, c.root); draw("path", { class: cls, d: d[i] }, c.root); });
  const trips = shownTrips(), many = trips.length > 60, r = many ? 3.6 : 5.2;
  const inside = t => t >= t0 && t <= t1;
  for (const i of trips) {
    if (T.exit[i] && T.out[i] !== null && (!many || i === V.trip)) {
      const seg = clip(T.entry[i], T.in[i], T.exit[i], T.out[i], t0, t1);
      if (seg) draw("line", { class: `trip ${T.net[i] > 0 ? "w" : "l"}${i === V.trip ? " on" : ""}`, x1: c.x(seg[0]), y1: c.y(seg[1]), x2: c.x(seg[2]), y2: c.y(seg[3]) }, c.root);
    }
  }
  for (const i of trips) {
    if (T.exit[i] && inside(T.exit[i]) && T.out[i] !== null) draw("circle", { class: "mx", cx: c.x(T.exit[i]), cy: c.y(T.out[i]), r: r * (many ? 0.45 : 0.62), "stroke-width": many ? 1 : 1.5 }, c.root);
    if (inside(T.entry[i])) {
      const x = c.x(T.entry[i]), y = c.y(T.in[i]), s = T.side[i] > 0 ? 1 : -1;
      draw("path", { class: "m " + (s > 0 ? "ml" : "ms"), d: `M${x} ${y}l${r} ${s * r * 1.7}h${-2 * r}Z` }, c.root);
    }
  }
  const last = q[q.length - 1];
  draw("text", { x: PAD.l + 6, y: PAD.t + 4 }, c.root, `${k.symbol}  ${span(k.step * m)} candles`);
  el.setAttribute("aria-label", `${k.symbol}, ${stamp(t0)} to ${stamp(t1)} UTC, last ${last[4]}, ${trips.length} trades`);
};
const clip = (xa, ya, xb, yb, t0, t1) => {
  if (xb < t0 || xa > t1) return null;
  const at = t => ya + (yb - ya) * (t - xa) / (xb - xa || 1);
  return [Math.max(xa, t0), xa < t0 ? at(t0) : ya, Math.min(xb, t1), xb > t1 ? at(t1) : yb];
};
const showTrip = i => {
  const s = S.findIndex(k => k.symbol === words[T.symbol[i]]); if (s < 0) return;
  V.s = s; one("#symbol").value = s;
  const k = S[s], a = nearest(k.t, T.entry[i]), b = nearest(k.t, T.exit[i] || D.end), w = Math.max(60, (b - a) * 3), n = k.t.length;
  V.a = clamp((a + b) / 2 - w / 2, 0, Math.max(0, n - w)); V.b = Math.min(n, V.a + w); V.trip = i; candles();
  one("#candle-panel").scrollIntoView({ block: "center" });
};
if (V.el && S.length) {
  fit();
  const el = V.el; let drag = null;
  const at = e => clamp((e.clientX - el.getBoundingClientRect().left - PAD.l) / (el.clientWidth - PAD.l - PAD.r), 0, 1);
  el.addEventListener("pointerdown", e => { drag = e.clientX; el.classList.add("drag"); el.setPointerCapture(e.pointerId); });
  for (const n of ["pointerup", "pointercancel"]) el.addEventListener(n, () => { drag = null; el.classList.remove("drag"); });
  el.addEventListener("pointermove", e => {
    if (drag !== null) { pan((drag - e.clientX) / (el.clientWidth - PAD.l - PAD.r) * (V.b - V.a)); drag = e.clientX; hideTip(el); return; }
    if (!V.c) return;
    const px = e.clientX - el.getBoundingClientRect().left, t = V.c.inv(px), r = V.q[atOrBefore(V.q.map(v => v[0]), t)];
    for (const h of all(".hover", el)) h.remove();
    const g = draw("g", { class: "hover" }, V.c.root), x = (V.c.x(r[0]) + V.c.x(r[5])) / 2;
    draw("line", { class: "cross", x1: x, x2: x, y1: PAD.t, y2: V.c.h - PAD.b }, g);
    const p = v => group(v, S[V.s].scale), rows = [["Open", p(r[1])], ["High", p(r[2])], ["Low", p(r[3])], ["Close", p(r[4])]];
    const near = shownTrips().find(i => Math.abs(V.c.x(T.entry[i]) - px) < 7 || (T.exit[i] && Math.abs(V.c.x(T.exit[i]) - px) < 7));
    if (near !== undefined) rows.push([T.side[near] > 0 ? "Long" : "Short", money(T.net[near]) + " " + D.currency], ["Why", words[T.why[near]].slice(0, 40) || "n/a"]);
    fillTip(el, stamp(r[0]) + " UTC", rows, px);
  });
  el.addEventListener("pointerleave", () => { hideTip(el); for (const h of all(".hover", el)) h.remove(); });
  el.addEventListener("wheel", e => { if (document.activeElement !== el && !e.ctrlKey) return; e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, at(e)); }, { passive: false });
  el.addEventListener("click", () => el.focus({ preventScroll: true }));
  el.addEventListener("keydown", e => {
    const w = (V.b - V.a) / 10;
    if (e.key === "ArrowLeft") pan(-w); else if (e.key === "ArrowRight") pan(w);
    else if (e.key === "+" || e.key === "=") zoom(0.7); else if (e.key === "-") zoom(1.4);
    else if (e.key === "0") { fit(); candles(); } else return;
    e.preventDefault();
  });
  for (const b of all("[data-zoom]")) b.addEventListener("click", () => { b.dataset.zoom === "fit" ? (fit(), candles()) : zoom(b.dataset.zoom === "in" ? 0.5 : 2); });
  one("#symbol").addEventListener("change", e => { V.s = Number(e.target.value); fit(); candles(); });
}

// --- table of trades --------------------------------------------------------------------------
const table = one("#trips");
if (table && count) {
  const text = i => ({ entry: brief(T.entry[i]), exit: T.exit[i] ? brief(T.exit[i]) : "open", symbol: words[T.symbol[i]], side: T.side[i] > 0 ? "long" : "short", why: words[T.why[i]], end: words[T.end[i]] });
  const price = v => v === null ? "—" : v.toLocaleString("en-US", { maximumFractionDigits: 8 });
  const tone = v => v > 0 ? "up" : v < 0 ? "down" : "";
  const net = even(T.net), fee = even(T.fees);
  const COLS = [
    ["Entry", i => T.entry[i], i => text(i).entry, ""], ["Symbol", i => words[T.symbol[i]], i => words[T.symbol[i]], ""],
    ["Side", i => T.side[i], i => (T.side[i] > 0 ? "▲ long" : "▼ short"), ""],
    ["Quantity", i => T.qty[i], i => price(T.qty[i]), "n minor"], ["In", i => T.in[i], i => price(T.in[i]), "n minor"], ["Out", i => T.out[i], i => price(T.out[i]), "n minor"],
    ["Net", i => T.net[i], i => T.net[i] === null ? "n/a" : (T.net[i] > 0 ? "+" : "") + net(T.net[i]), "n", i => tone(T.net[i])],
    ["Return", i => T.return[i], i => pct(T.return[i]), "n", i => tone(T.return[i])], ["Fees", i => T.fees[i], i => T.fees[i] === null ? "n/a" : fee(T.fees[i]), "n minor"],
    ["Held", i => (T.exit[i] || D.end) - T.entry[i], i => span((T.exit[i] || D.end) - T.entry[i]), "n minor"],
    ["MAE", i => T.mae[i], i => T.mae[i] === null ? "—" : pct(T.mae[i]), "n minor"], ["MFE", i => T.mfe[i], i => T.mfe[i] === null ? "—" : pct(T.mfe[i]), "n minor"],
    ["Exit reason", i => words[T.end[i]], i => T.exit[i] ? words[T.end[i]] || "—" : "open", ""],
  ];
  // A phone shows the day without its year and a contract without its settlement asset.
  const shorten = (td, value) => {
    const part = /^(\d{4}-)(\d.*)$/.exec(value) || /^(?:())([^:\s]+\/[^:\s]+)(:\S+)$/.exec(value);
    if (!part) { td.textContent = value; return; }
    if (part[1]) node("span", { class: "minor" }, td, part[1]);
    td.append(part[2]);
    if (part[3]) node("span", { class: "minor" }, td, part[3]);
  };
  const PAGE = 20; let by = 0, down = true, page = 0, wanted = "";
  const head = node("tr", {}, node("thead", {}, table)), body = node("tbody", {}, table), pager = one("#pager");
  const heads = COLS.map(([name, , , cls], j) => {
    const th = node("th", { scope: "col", class: cls }, head), b = node("button", { type: "button" }, th, name);
    b.addEventListener("click", () => { down = by === j ? !down : true; by = j; page = 0; fill(); });
    return th;
  });
  const back = node("button", { type: "button" }, pager, "Back"), where = node("span", { "aria-live": "polite" }, pager), on = node("button", { type: "button" }, pager, "Next");
  const fill = () => {
    let rows = [...Array(count).keys()];
    if (wanted) rows = rows.filter(i => Object.values(text(i)).join(" ").toLowerCase().includes(wanted));
    const key = COLS[by][1];
    rows.sort((a, b) => { const p = key(a), q = key(b); if (p === q) return a - b; if (p === null) return 1; if (q === null) return -1; return (p < q ? -1 : 1) * (down ? -1 : 1); });
    const pages = Math.max(1, Math.ceil(rows.length / PAGE)); page = clamp(page, 0, pages - 1);
    heads.forEach((th, j) => { j === by ? th.setAttribute("aria-sort", down ? "descending" : "ascending") : th.removeAttribute("aria-sort"); one("button", th).textContent = COLS[j][0] + (j === by ? (down ? " ↓" : " ↑") : ""); });
    body.textContent = "";
    for (const i of rows.slice(page * PAGE, page * PAGE + PAGE)) {
      const tr = node("tr", { tabindex: "0", title: "Show on the chart" }, body);
      for (const [, , show, cls, colour] of COLS) { const td = node("td", { class: (cls + " " + (colour ? colour(i) : "")).trim() }, tr), value = show(i); td.title = value; shorten(td, value); }
      tr.addEventListener("click", () => showTrip(i));
      tr.addEventListener("keydown", e => { if (e.key === "Enter") showTrip(i); });
    }
    where.textContent = rows.length ? `${page * PAGE + 1}–${Math.min(rows.length, page * PAGE + PAGE)} of ${rows.length}` : "No trade matches.";
    back.disabled = page === 0; on.disabled = page >= pages - 1;
  };
  back.addEventListener("click", () => { page--; fill(); });
  on.addEventListener("click", () => { page++; fill(); });
  one("#filter").addEventListener("input", e => { wanted = e.target.value.trim().toLowerCase(); page = 0; fill(); });
  fill();
}

// --- theme, scale, size -------------------------------------------------------------------------
const root = document.documentElement, button = one("#theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
try { chosen = localStorage.getItem("veloz-theme"); } catch { /* a file may have no storage */ }
const theme = () => { const t = chosen || (dark.matches ? "dark" : "light"); root.dataset.theme = t; button.textContent = t === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", "Switch to " + button.textContent.toLowerCase() + " colours"); };
button.hidden = false;
button.addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; try { localStorage.setItem("veloz-theme", chosen); } catch { /* as above */ } theme(); });
dark.addEventListener("change", theme);
theme();
for (const b of all("[data-scale]")) b.addEventListener("click", () => {
  isLog.on = b.dataset.scale === "log";
  for (const o of all("[data-scale]")) o.setAttribute("aria-pressed", String(o === b));
  everything();
});
const toggle = one("#hold");
if (toggle && B) {
  // A benchmark that moves far more would press the equity curve flat.
  const range = l => { const [a, b] = extent([l], 0); return b - a; };
  hold.on = range(B.v) < 5 * range(E.v);
  const say = () => toggle.setAttribute("aria-pressed", String(hold.on));
  toggle.addEventListener("click", () => { hold.on = !hold.on; say(); everything(); });
  say();
}
const everything = () => { for (const it of curves) it.build(it); bins(); candles(); };
let width = 0;
new ResizeObserver(() => { const now = document.body.clientWidth; if (now !== width) { width = now; everything(); } }).observe(document.body);
addEventListener("beforeprint", everything);
everything();
})();
