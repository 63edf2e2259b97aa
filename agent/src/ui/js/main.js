// The frame around the views: which one is shown, the state of the agent, keys, light and dark.

import { again, get } from './api.js';
import { h, plain, problem, show, span } from './dom.js';
import { learn } from './names.js';
import { ask } from './ask.js';
import { live } from './live.js';
import { now } from './now.js';
import { templateView } from './template.js';
import { tryLine } from './try.js';

const VIEWS = { now, live, ask, template: templateView, try: tryLine };
const TITLES = { now: 'now', live: 'live', ask: 'ask', template: 'template', try: 'try a line' };
const main = document.getElementById('view');
let leave = new AbortController();
let keys = {};

/** Shows the view that the address names: `#/NAME/ARGUMENT?parameters`. */
async function route() {
  const [where, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name = 'now', argument = ''] = (where || 'now').split('/');
  const view = VIEWS[name] ? name : 'now';
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  keys = {};
  for (const tab of document.querySelectorAll('nav [data-view]')) {
    if (tab.dataset.view === view) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  document.title = `logsieve: ${TITLES[view]}`;
  main.className = `view-${view}`;
  show(main);
  window.scrollTo(0, 0);
  try {
    await VIEWS[view]({
      main,
      signal,
      argument: decodeURIComponent(argument),
      parameters: Object.fromEntries(new URLSearchParams(query)),
      keys: (some) => { keys = some; },
    });
  } catch (error) {
    if (!signal.aborted) show(main, problem(error));
  }
}

const isTyping = (element) => element.matches('input, textarea, select, [contenteditable]');

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (isTyping(event.target)) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const onControl = event.target.closest('a, button, summary, .plot');
  if (onControl && (event.key === ' ' || event.key === 'Enter')) return;
  const views = { 1: 'now', 2: 'live', 3: 'ask', 4: 'try' };
  if (keys[event.key]) keys[event.key](event);
  else if (views[event.key]) location.hash = `#/${views[event.key]}`;
  else if (event.key === '/') main.querySelector('[data-search]')?.focus();
  else if (event.key === '?') document.getElementById('keys').showModal();
  else return;
  event.preventDefault();
});
document.getElementById('help').addEventListener('click', () => document.getElementById('keys').showModal());
// The way to the content leads to no view.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

const THEMES = ['auto', 'light', 'dark'];
const theme = document.getElementById('theme');
function dress(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.textContent = { auto: '◐', light: '☀', dark: '☾' }[name];
  theme.setAttribute('aria-label', `Colours: ${name}`);
}
dress(localStorage.getItem('logsieve.theme') ?? 'auto');
theme.addEventListener('click', () => {
  const next = THEMES[(THEMES.indexOf(localStorage.getItem('logsieve.theme') ?? 'auto') + 1) % THEMES.length];
  localStorage.setItem('logsieve.theme', next);
  dress(next);
});

const parts = document.getElementById('parts');
const pill = document.getElementById('health');
pill.addEventListener('click', () => {
  parts.hidden = !parts.hidden;
  pill.setAttribute('aria-expanded', String(!parts.hidden));
});

/** The state of the agent in a word; what does not work, at once. */
async function health() {
  let report;
  try {
    report = await get('/health');
  } catch (error) {
    pill.className = 'quiet bad';
    pill.lastElementChild.textContent = 'no answer';
    show(parts, problem(error));
    return;
  }
  const broken = Object.entries(report.components).filter(([, part]) => !part.ok);
  pill.className = `quiet ${broken.length ? 'warn' : 'good'}`;
  pill.lastElementChild.textContent = broken.length ? `degraded: ${broken.map(([name]) => plain(name)).join(', ')}` : 'healthy';
  const rows = Object.entries(report.components).map(([name, part]) => h('tr', null,
    h('td', null, h('span.dot', { class: part.ok ? 'good' : 'bad' }), ` ${plain(name)}`),
    h('td', null, plain(part.detail))));
  show(parts, h('p', null, `logsieve ${plain(report.version)}, up for ${span(report.uptime_s)}`), h('table', null, h('tbody', null, rows)));
}

again(() => 10, new AbortController().signal, health);
await learn();
window.addEventListener('hashchange', route);
route();
