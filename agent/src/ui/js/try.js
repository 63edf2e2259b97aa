// One line, and the way it takes through the stages. Nothing is stored.

import { post } from './api.js';
import { h, plain, problem, show, template } from './dom.js';
import { chip, levelMark, link } from './names.js';

const EXAMPLES = [
  'ERROR [pool-3] could not reach billing at 10.0.4.17:8443: connection refused (attempt 3 of 5)',
  '2026-01-15T03:12:44Z WARN cache: evicted 1204 entries, memory at 91 %',
  '10.1.2.3 - - [15/Jan/2026:03:12:44 +0000] "POST /orders HTTP/1.1" 503 512',
  'sshd[811]: Failed password for root from 203.0.113.9 port 52144 ssh2',
];

const MARKS = { Classified: '✓', Skipped: '–', 'Low Confidence': '?', Unavailable: '×' };

export async function tryLine({ main, parameters, signal }) {
  const field = h('textarea', { id: 'one', rows: 4, spellcheck: 'false', 'data-search': '', placeholder: 'Paste a line of a log' });
  field.value = parameters.line ?? '';
  const place = h('div', { 'aria-live': 'polite' });
  const run = async () => {
    if (!field.value.trim()) return;
    show(place, h('p.note', null, 'Looking…'));
    try {
      const answer = await post('/api/classify', { log_message: field.value }, { signal });
      if (!signal.aborted) show(place, result(answer));
    } catch (error) {
      if (!signal.aborted) show(place, problem(error));
    }
  };
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    run();
  });
  show(main,
    h('form.panel', { onsubmit: (event) => { event.preventDefault(); run(); } },
      h('h1', null, 'Try a line'),
      h('label', { for: 'one' }, 'What does the sieve make of it? Nothing is stored.'),
      field,
      h('p.buttons', null, h('button.main', { type: 'submit' }, 'Try it'), h('span.note', null, ' Enter does it; Shift and Enter make a new line.')),
      h('div.suggestions', { role: 'group', 'aria-label': 'Examples' }, EXAMPLES.map((line) => h('button', { type: 'button', onclick: () => { field.value = line; run(); } }, line)))),
    place);
  if (field.value) await run();
  else field.focus();
}

function result(answer) {
  const sure = answer.final_confidence > 0 ? `${Math.round(answer.final_confidence * 100)} % sure` : 'nobody is sure enough';
  return h('section.panel', null,
    h('p.verdict', null, chip(answer.final_category), answer.level ? levelMark(answer.level) : null, h('span', null, sure)),
    answer.reason ? h('p', null, plain(answer.reason)) : null,
    h('ol.journey', null, answer.journey.map((step) => h('li', { class: step.status.toLowerCase().replaceAll(' ', '-') },
      h('span.mark', { 'aria-hidden': 'true' }, MARKS[step.status] ?? '·'),
      h('span', null, h('b', null, plain(step.stage)), ` ${plain(step.status)}`, h('br'), h('span.note', null, plain(step.details)))))),
    answer.template ? h('p', null, 'Its template: ', h('a', { href: link(`template/${answer.template_id}`) }, template(answer.template))) : null,
    h('p.note', null, `${answer.processing_time_ms} ms`));
}
