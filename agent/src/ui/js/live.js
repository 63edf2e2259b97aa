// Lines as they come, or those of a stretch of time; filters are in the address, so that they can be sent to somebody.

import { follow, get } from './api.js';
import { clock, count, h, many, plain, problem, show } from './dom.js';
import { colour, LEVELS, link, short, taxonomy } from './names.js';
import { Tail } from './tail.js';

/** Stored lines that are shown before the new ones. */
const PAST = 200;

export async function live({ main, signal, parameters, keys }) {
  const { level = '', category = '', container = '', q = '', from = '', to = '' } = parameters;
  const isPast = Boolean(from || to);
  const status = h('span.status', { role: 'status' }, 'connecting…');
  const pause = h('button.main', { type: 'button', onclick: () => tail.pause() }, 'Pause');
  const tail = new Tail(() => tell());
  tail.needle = q;
  let state = 'connecting';
  const tell = () => {
    pause.textContent = tail.paused ? `Go on${tail.held ? ` (${count(tail.held)} new)` : ''}` : 'Pause';
    pause.setAttribute('aria-pressed', String(tail.paused));
    const missed = tail.missed ? `, ${many(tail.missed, 'line')} went by too fast` : '';
    status.textContent = state instanceof Error ? plain(state.message) : `${tail.paused ? 'paused' : state}${missed}`;
    status.className = `status ${tail.paused ? 'paused' : state === 'live' ? 'good' : 'warn'}`;
    empty.hidden = tail.list.children.length > 0;
  };
  const go = (change) => { location.hash = link('live', { level, category, container, q, from, to, ...change }); };
  const empty = h('p.note', null, isPast ? 'No such lines are stored in that time.' : 'No such lines yet. They appear here as they come.');
  show(main,
    h('form.filters', { role: 'search', onsubmit: (event) => event.preventDefault() },
      h('label', null, h('span', null, 'Text'), h('input', { type: 'search', value: q, 'data-search': '', placeholder: 'has these words', onchange: (event) => go({ q: event.target.value }) })),
      h('label', null, h('span', null, 'Level'), pick(['', ...LEVELS], level, (name) => (name ? `${name}${name === 'fatal' ? '' : ' and worse'}` : 'all'), (value) => go({ level: value }))),
      h('label', null, h('span', null, 'Container'), await containers(container, (value) => go({ container: value }), signal)),
      isPast ? h('button.main', { type: 'button', onclick: () => go({ from: '', to: '' }) }, 'To the live lines') : pause),
    chips(category, (value) => go({ category: value })),
    h('p.bar-line', null,
      isPast ? h('span.status', null, `stored lines from ${clock(from)} to ${clock(to)}`) : status,
      h('button.quiet', { type: 'button', onclick: () => { tail.clear(); } }, 'Clear')),
    empty, tail.list);
  if (signal.aborted) return;
  keys({
    ' ': () => isPast || tail.pause(),
    j: () => step(tail.list, 1),
    k: () => step(tail.list, -1),
  });
  const which = { level, category, container_id: container };
  /** Shows what is stored; returns the number of the newest of it. */
  const past = async () => {
    const found = await get('/api/logs/raw', { ...which, contains: q, from_ts: from, to_ts: to, tail: isPast ? 500 : PAST, events: true }, { signal });
    found.events.forEach((event) => tail.push(event));
    return found.events.at(-1)?.seq ?? -1;
  };
  if (isPast) {
    await past();
    return tell();
  }
  // What comes while the stored lines are fetched is kept, so that nothing falls between the two.
  let kept = [];
  let newest = null;
  const fetchPast = async () => {
    try {
      newest = await past();
    } catch (error) {
      if (signal.aborted) return;
      newest = -1;
      show(empty, problem(error));
    }
    kept.filter((event) => event.seq > newest).forEach((event) => tail.push(event));
    kept = null;
  };
  await follow('/api/events', which, {
    signal,
    each: (event) => (kept ? kept.push(event) : tail.push(event)),
    missed: (number) => tail.miss(number),
    state: (word) => {
      if (word === 'live' && newest === null) {
        newest = -1;
        fetchPast();
      }
      state = word === 'lost' ? 'connection lost, trying again' : word;
      tell();
    },
  });
}

function pick(names, chosen, words, then) {
  return h('select', { onchange: (event) => then(event.target.value) },
    names.map((name) => h('option', { value: name, selected: name === chosen }, words(name))));
}

async function containers(chosen, then, signal) {
  let known = [];
  try {
    known = (await get('/api/containers', {}, { signal })).filter((one) => one.source);
  } catch {
    // Without the list one can still see all.
  }
  const names = Object.fromEntries(known.map((one) => [one.id, plain(one.k8s ? `${one.k8s.pod}/${one.k8s.container}` : short(one.name))]));
  if (chosen) names[chosen] ??= plain(short(chosen));
  const ids = Object.keys(names).sort((a, b) => names[a].localeCompare(names[b]));
  return pick(['', ...ids], chosen, (id) => (id ? names[id] : 'all'), then);
}

function chips(chosen, then) {
  const names = [...taxonomy().map(({ id }) => id), 'unclassified'];
  if (chosen && !names.includes(chosen)) names.push(chosen);
  const means = Object.fromEntries(taxonomy().map(({ id, means: text }) => [id, text]));
  return h('div.chips', { role: 'group', 'aria-label': 'Category' }, names.map((name) => h('button.chip', {
    type: 'button',
    class: colour(name),
    'aria-pressed': String(name === chosen),
    title: means[name] ? plain(means[name]) : null,
    onclick: () => then(name === chosen ? '' : name),
  }, plain(name))));
}

/** Moves the focus to the next or the last line. */
function step(list, way) {
  const rows = [...list.children];
  const at = rows.findIndex((item) => item.contains(document.activeElement));
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + way, 0), rows.length - 1)];
  next?.querySelector('.line')?.focus();
}
