// Requests to the agent that this page came from. The token is asked for once and kept as long as the tab.

const KEPT = 'logsieve.token';

/** A refusal: what is wrong, and what to do about it. */
export class Refusal extends Error {
  constructor(status, code, message, hint) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

/** A path with those parameters that have a value. */
export function path(base, parameters = {}) {
  const some = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return some.length ? `${base}?${new URLSearchParams(some)}` : base;
}

/** `GET`, as JSON. */
export async function get(base, parameters, options = {}) {
  return (await request(path(base, parameters), options)).json();
}

/** `POST` of JSON, answered with JSON. */
export async function post(base, body, options = {}) {
  return (await send(base, body, options)).json();
}

/** `POST` of JSON; the answer as it comes. */
export function send(base, body, options = {}) {
  const headers = { 'content-type': 'application/json', ...options.headers };
  return request(base, { ...options, method: 'POST', headers, body: JSON.stringify(body) });
}

async function request(where, options) {
  for (;;) {
    const token = sessionStorage.getItem(KEPT);
    const headers = { accept: 'application/json', ...options.headers };
    if (token) headers.authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(where, { ...options, headers });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Refusal(0, 'unreachable', 'The agent does not answer.', 'Is it running? This page tries again by itself.');
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await tokenAfter(token);
      continue;
    }
    throw await refusal(response);
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const { code = 'failed', message = `The agent answered with ${response.status}.`, hint = '' } = body.error ?? {};
  return new Refusal(response.status, code, message, hint);
}

let asking = null;

/** Waits until there is another token than `tried`. However many ask, the dialog is shown once. */
function tokenAfter(tried) {
  const now = sessionStorage.getItem(KEPT);
  if (now && now !== tried) return Promise.resolve();
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById('ask-token');
    const field = document.getElementById('token');
    document.getElementById('token-wrong').hidden = !tried;
    sessionStorage.removeItem(KEPT);
    const done = () => {
      // Escape closes the dialog, but without a token there is nothing to see.
      if (!field.value) return dialog.showModal();
      sessionStorage.setItem(KEPT, field.value.trim());
      field.value = '';
      dialog.removeEventListener('close', done);
      asking = null;
      resolve();
    };
    dialog.addEventListener('close', done);
    dialog.showModal();
    field.focus();
  });
  return asking;
}

/** Reads server-sent events of a response: calls `each` with `{id, event, data}`. */
export async function events(response, each) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const whole = rest.lastIndexOf('\n\n');
    if (whole < 0) continue;
    for (const block of rest.slice(0, whole).split('\n\n')) {
      const event = { id: '', event: 'message', data: '' };
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) {
          const key = line.slice(0, colon);
          const text = line.slice(colon + 1).replace(/^ /, '');
          event[key] = key === 'data' && event.data ? `${event.data}\n${text}` : text;
        }
      }
      if (event.data) each(event);
    }
    rest = rest.slice(whole + 2);
  }
}

/**
 * Follows a live stream until `signal`: `each(object, id)` for every event, `missed(n)` for those that went by too fast,
 * `state(word)` with `live`, `lost` or a refusal. Where the connection breaks it goes on after the last event.
 */
export async function follow(base, parameters, { signal, each, missed, state }) {
  let last;
  let pause = 500;
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream' };
      const response = await request(path(base, { ...parameters, last_event_id: last }), { signal, headers });
      state('live');
      pause = 500;
      await events(response, ({ id, event, data }) => {
        if (id) last = id;
        if (event === 'missed') missed(JSON.parse(data).events);
        else each(JSON.parse(data), id);
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) return state(error);
    }
    if (signal.aborted) return;
    state('lost');
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 10000);
  }
}

/** Calls `work` now and every `seconds`, as long as the page is seen, until `signal`. */
export async function again(seconds, signal, work) {
  while (!signal.aborted) {
    if (!document.hidden) await work();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds() * 1000);
      const wake = () => { clearTimeout(timer); resolve(); };
      signal.addEventListener('abort', wake, { once: true });
      document.addEventListener('visibilitychange', wake, { once: true });
    });
  }
}
