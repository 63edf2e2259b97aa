// Bars over time, drawn as SVG: stacked, with a readout, no library.

import { clock, count, h, s, short } from './dom.js';

const HEIGHT = 100;

/**
 * Stacked bars. `series` are `{name, colour, counts}` from the bottom up, `from` and `to` the ends in milliseconds.
 * `open(from, to)` is called for the bar that was chosen.
 */
export function bars({ label, series, from, to, open }) {
  const size = Math.max(...series.map((one) => one.counts.length), 0);
  const sums = Array.from({ length: size }, (_, at) => series.reduce((sum, one) => sum + (one.counts[at] ?? 0), 0));
  const highest = Math.max(...sums, 1);
  const step = (to - from) / Math.max(size, 1);
  const svg = s('svg.bars', { viewBox: `0 0 ${size * 10} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${label}: ${count(sums.reduce((a, b) => a + b, 0))} in all, at most ${count(highest)} in one bar` });
  for (let at = 0; at < size; at += 1) {
    let top = HEIGHT;
    for (const one of series) {
      const value = one.counts[at] ?? 0;
      if (!value) continue;
      // What is there is seen, however little it is.
      const height = Math.max((value / highest) * (HEIGHT - 4), 1.5);
      top -= height;
      svg.append(s('rect', { class: `bar ${one.colour}`, x: at * 10 + 1, y: Math.max(top, 0), width: 8, height }));
    }
  }
  const readout = h('p.readout', { 'aria-live': 'polite' });
  let chosen = -1;
  const cursor = s('rect.cursor', { x: -20, y: 0, width: 10, height: HEIGHT });
  svg.append(cursor);
  const tell = (at) => {
    chosen = at;
    cursor.setAttribute('x', at < 0 ? -20 : at * 10);
    if (at < 0) return readout.replaceChildren(`highest bar: ${count(highest)}`);
    const some = series.filter((one) => one.counts[at]).map((one) => [h('i.key', { class: one.colour }), ` ${one.name} ${count(one.counts[at])}  `]).reverse();
    readout.replaceChildren(`${clock(from + at * step)} to ${clock(from + (at + 1) * step)}: ${count(sums[at])}  `, ...some.flat());
  };
  tell(-1);
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * size);
    return at >= 0 && at < size ? at : -1;
  };
  const frame = h('div.plot', {
    tabindex: 0,
    'data-key': `chart ${label}`,
    role: 'group',
    'aria-label': `${label}; left and right tell the bars, Enter opens one's lines`,
    onpointermove: (event) => tell(place(event)),
    onpointerleave: () => tell(-1),
    onblur: () => tell(-1),
    onclick: (event) => open?.(from + place(event) * step, from + (place(event) + 1) * step),
    onkeydown: (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (way) tell(Math.min(Math.max(chosen + way, 0), size - 1));
      else if (event.key === 'Enter' && chosen >= 0) open?.(from + chosen * step, from + (chosen + 1) * step);
      else return;
      event.preventDefault();
    },
  }, svg, h('span.most', { 'aria-hidden': 'true' }, short(highest)));
  const axis = h('div.axis', { 'aria-hidden': 'true' }, [0, 0.5, 1].map((part) => h('span', null, clock(from + (to - from) * part, step < 60000))));
  return h('div.chart', null, frame, axis, readout);
}

/** A bar of parts side by side, each as wide as its share. */
export function share(parts, label) {
  const whole = parts.reduce((sum, one) => sum + one.count, 0);
  const svg = s('svg.share', { viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
  let at = 0;
  for (const one of parts) {
    const width = whole ? (one.count / whole) * 1000 : 0;
    svg.append(s('rect', { class: `bar ${one.colour}`, x: at, y: 0, width, height: 10 }));
    at += width;
  }
  return svg;
}

/** A bar as long as `value` is of `most`, of which `part` is marked. */
export function meter(value, most, part = 0) {
  const wide = (number) => (most ? (number / most) * 100 : 0);
  return s('svg.meter', { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('rect.bar.some', { x: 0, y: 0, width: wide(value), height: 6 }),
    s('rect.bar.error', { x: 0, y: 0, width: part ? Math.max(wide(part), 1) : 0, height: 6 }));
}
