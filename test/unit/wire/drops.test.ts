import { expect, test } from 'vitest';
import { DROP_ADVICE } from '../../../src/core/link/advice.ts';
import {
  DROP_LOG_INTERVAL_MS,
  DROP_RECENT_MS,
  DropCounters,
  type DropReport,
} from '../../../src/shell/watchdog/drops.ts';

const ROLE = 'oam-interface';

function counters() {
  const lines: DropReport[] = [];
  return { lines, drops: new DropCounters((line) => lines.push(line)) };
}

test('a flood makes one line per interval, with the count', () => {
  const { lines, drops } = counters();
  for (let now = 0; now < 2.5 * DROP_LOG_INTERVAL_MS; now += 1) drops.count(ROLE, 'magic', now);
  expect(lines.map(({ count, total }) => [count, total])).toEqual([
    [1, 1],
    [DROP_LOG_INTERVAL_MS, DROP_LOG_INTERVAL_MS + 1],
    [DROP_LOG_INTERVAL_MS, 2 * DROP_LOG_INTERVAL_MS + 1],
  ]);
  expect(lines[0]?.advice).toBe(DROP_ADVICE.magic);
});

test('links and causes are told apart', () => {
  const { lines, drops } = counters();
  drops.count(ROLE, 'magic', 0);
  drops.count(ROLE, 'unsigned', 0);
  drops.count('management-interface', 'magic', 0);
  drops.count(ROLE, 'magic', 1);
  expect(lines).toHaveLength(3);
  expect(drops.totals()).toEqual([
    { role: ROLE, cause: 'magic', total: 2 },
    { role: ROLE, cause: 'unsigned', total: 1 },
    { role: 'management-interface', cause: 'magic', total: 1 },
  ]);
});

test('what was held back is told by the flush, once', () => {
  const { lines, drops } = counters();
  drops.count(ROLE, 'replayed', 0);
  drops.count(ROLE, 'replayed', 1);
  drops.flush(DROP_LOG_INTERVAL_MS - 1);
  expect(lines).toHaveLength(1);
  drops.flush(DROP_LOG_INTERVAL_MS);
  drops.flush(2 * DROP_LOG_INTERVAL_MS);
  expect(lines.map(({ count }) => count)).toEqual([1, 1]);
});

test('a wrong setting explains a silence before noise does, and only for a while', () => {
  const { drops } = counters();
  expect(drops.reason(ROLE, 0)).toBe('');
  drops.count(ROLE, 'unknown-key', 0);
  drops.count(ROLE, 'magic', 10);
  expect(drops.reason(ROLE, 20)).toBe(DROP_ADVICE['unknown-key']);
  expect(drops.reason('management-interface', 20)).toBe('');
  expect(drops.reason(ROLE, DROP_RECENT_MS + 5)).toBe(DROP_ADVICE.magic);
  expect(drops.reason(ROLE, DROP_RECENT_MS + 11)).toBe('');
});
