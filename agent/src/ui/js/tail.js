// The newest lines, a bounded number of them: put into the page once a frame, held back while it is paused.

import { h } from './dom.js';
import { row } from './line.js';

/** Lines that are kept in the page. */
const KEPT = 500;
/** Lines that are held back while it is paused. */
const HELD = 5000;

export class Tail {
  /** `changed` is told whenever something about `held` or `paused` is new. */
  constructor(changed) {
    this.list = h('ol.events.tail', { 'aria-label': 'Lines, the newest first' });
    this.changed = changed;
    this.paused = false;
    this.needle = '';
    this.waiting = [];
    this.missed = 0;
    this.frame = 0;
  }

  /** Takes an event; the newest stands first. */
  push(event) {
    this.waiting.push(event);
    const most = this.paused ? HELD : KEPT;
    if (this.waiting.length > most) {
      // What would be gone at once is not drawn.
      const over = this.waiting.length - most;
      this.waiting.splice(0, over);
      if (this.paused) this.missed += over;
    }
    this.draw();
  }

  /** So many went by too fast. */
  miss(number) {
    this.missed += number;
    this.draw();
  }

  /** Holds lines back, or shows those that were held back. */
  pause(on = !this.paused) {
    this.paused = on;
    this.draw();
  }

  /** Forgets all lines. */
  clear() {
    this.waiting = [];
    this.missed = 0;
    this.list.replaceChildren();
    this.changed();
  }

  get held() {
    return this.waiting.length;
  }

  draw() {
    if (this.frame) return;
    this.frame = setTimeout(() => {
      this.frame = 0;
      if (!this.paused) this.flush();
      this.changed();
    }, 60);
  }

  flush() {
    const some = this.waiting.slice(-KEPT).filter((event) => matches(event, this.needle));
    this.waiting = [];
    // Whoever reads further down, or in a line that is open, is not moved.
    const above = this.list.getBoundingClientRect().top < 0;
    const before = this.list.scrollHeight;
    this.list.prepend(...some.reverse().map((event) => row(event, { needle: this.needle })));
    if (above) window.scrollBy(0, this.list.scrollHeight - before);
    while (this.list.children.length > KEPT) this.list.lastElementChild.remove();
  }
}

/** Whether an event has `needle` in it, in whatever case where the needle has no capitals. */
export function matches(event, needle) {
  if (!needle) return true;
  return (event.line ?? event.message ?? '').includes(needle);
}
