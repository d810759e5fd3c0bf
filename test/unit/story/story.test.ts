import { describe, expect, test } from 'vitest';
import type { NodeHistory, RecordedEvent } from '../../../src/core/story/events.ts';
import { tellStory } from '../../../src/core/story/story.ts';

/** `at | entity name | from -> to | cause | reason | actor`, times in ms; cause, reason and actor may be left out. */
function history(node: string, text: string, firstId = 1): NodeHistory {
  const events = text
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index): RecordedEvent => {
      const [at = '', what = '', change = '', cause = '', reason = '', actor = 'engine'] = line
        .split('|')
        .map((part) => part.trim());
      const [entity = '', ...name] = what.split(' ');
      const [from = '', to = ''] = change.split(' -> ');
      const wallMs = Number(at);
      return {
        id: firstId + index,
        node,
        wallMs,
        entity,
        name: name.join(' '),
        from,
        to,
        cause,
        actor,
        reason,
      };
    });
  return { node, events, members: new Map([['web', 'app']]) };
}

const ALL = { fromMs: 0, toMs: 1e9, name: '', complete: true };
const told = (histories: readonly NodeHistory[], change: Partial<typeof ALL> = {}) =>
  tellStory(histories, { ...ALL, ...change });
const sentences = (histories: readonly NodeHistory[], change: Partial<typeof ALL> = {}) =>
  told(histories, change).incidents.map(({ lines }) =>
    lines.map(({ atMs, endMs, text, outcome }) => {
      const lasted = endMs === null ? '' : ` [${endMs - atMs}]`;
      return `${atMs} ${text}${lasted}${outcome === '' ? '' : `: ${outcome}`}`;
    }),
  );

const DEATH = `
  1000 | service web | enabled-active -> disabling | process-failure | process 7 died <- app wanted active: it runs here
  1021 | service web | disabling -> disabled | disable-success | disable success after 20 ms <- process 7 died
  1021 | service web | disabled -> enabling-throttle | enable-throttle | enabled-active state requested
  1021 | service web | enabling-throttle -> enabling | enable | throttle open to enable service
  1060 | service web | enabling -> enabled-active | enable-success | enable success after 30 ms, at try 2: web start exited 1 after 8 ms: port in use <- process 7 died`;

describe('one incident', () => {
  test('a death: what was first, what the scripts did and said, how long it was away', () => {
    expect(sentences([history('a', DEATH)])).toEqual([
      [
        '1000 web failed [60]: process 7 died',
        '1000 disable of web [21]',
        '1021 enable of web [39]: at try 2: web start exited 1 after 8 ms: port in use',
      ],
    ]);
  });

  test('a script that fails or never ends is said to', () => {
    const text = `
      1000 | service web | disabled -> enabling | enable
      1500 | service web | enabling -> disabling | enable-failed | web start exited 1 after 400 ms: no disk`;
    expect(sentences([history('a', text)])).toEqual([
      [
        '1000 enable of web [500]: enable-failed: web start exited 1 after 400 ms: no disk',
        '1500 web failed: web start exited 1 after 400 ms: no disk',
        '1500 disable of web: is not over',
      ],
    ]);
  });

  test('orders carry who, why and what came of it', () => {
    const text = `
      1000 | operation swact a | requested -> accepted | a-1 | kernel update | alice
      1010 | group app | active -> go-standby | go-standby | app wanted standby: swact away from a
      1050 | group app | go-standby -> standby | members-changed | app wanted standby: swact away from a
      1090 | operation swact a | activating -> done | a-1 | kernel update | alice
      9000 | operation lock b | requested -> accepted | a-2 | | bob
      9300 | operation lock b | accepted -> timed-out | a-2 | it took too long | bob
      20000 | service web | managed -> unmanaged | unmanage | debugging | bob`;
    expect(sentences([history('a', text)])).toEqual([
      [
        '1000 swact a by alice (kernel update) [90]: done',
        '1010 app: active -> standby [40]: swact away from a',
      ],
      ['9000 lock b by bob [300]: timed-out: it took too long'],
      ['20000 web is left alone by bob: debugging'],
    ]);
  });

  test('an alarm says how long it stood, also when it was raised long before', () => {
    const text = `
      1000 | node b | heard -> not heard | heartbeat | silence
      3000 | alarm 400.002 service_group=app | clear -> major | alarm | lost its redundancy
      4000 | alarm 400.002 service_group=app | major -> clear | alarm | lost its redundancy
      4500 | alarm store-failed host=a | clear -> critical | alarm | no space
      60000 | alarm store-failed host=a | critical -> clear | alarm | no space`;
    expect(sentences([history('a', text)])).toEqual([
      [
        '1000 b fell silent: silence',
        '3000 alarm 400.002 major service_group=app [1000]: lost its redundancy',
        '4500 alarm store-failed critical host=a: no space',
      ],
      ['60000 alarm store-failed host=a is cleared: it stood 55.5 s'],
    ]);
  });
});

describe('what belongs together', () => {
  test('what is under way keeps an incident open, a pause after it ends it', () => {
    const text = `
      1000 | service web | disabled -> enabling | enable
      31000 | service web | enabling -> enabled-active | enable-success
      31900 | interface oam-interface | up, peer heard -> down | link | no carrier
      33100 | interface oam-interface | down -> up, peer heard | link`;
    expect(sentences([history('a', text)]).map((lines) => lines.length)).toEqual([2, 1]);
  });

  test('an order begins a story of its own, however soon it comes', () => {
    const text = `
      1000 | service web | disabled -> enabling | enable
      1100 | service web | enabling -> enabled-active | enable-success
      1200 | operation swact a | requested -> accepted | a-1 | | alice
      1210 | group app | active -> go-standby | go-standby
      1250 | group app | go-standby -> standby | members-changed
      1290 | operation swact a | activating -> done | a-1 | | alice`;
    expect(sentences([history('a', text)]).map((lines) => lines.length)).toEqual([1, 2]);
  });

  test('a wait without an end does not swallow everything after it', () => {
    const text = `
      1000 | group app | standby -> go-active | go-active
      200000 | interface oam-interface | up, peer heard -> down | link | no carrier`;
    expect(sentences([history('a', text)])).toHaveLength(2);
  });

  test('what happens again and again is told once, with its number', () => {
    const again = [0, 1, 2, 3].map((n) =>
      DEATH.replace(/^ {2}(\d+)/gm, (_, at: string) => `  ${Number(at) + 10_000 * n}`).replace(
        /process 7/g,
        `process ${n}`,
      ),
    );
    const { incidents } = told([history('a', again.join('\n'))]);
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ times: 4, fromMs: 1000, lastMs: 31_000 });
  });

  test('a question for a group finds its services, and nothing else', () => {
    const text = `${DEATH}
      20000 | interface oam-interface | up, peer heard -> down | link | no carrier`;
    expect(sentences([history('a', text)], { name: 'app' })).toHaveLength(1);
    expect(sentences([history('a', text)], { name: 'oam-interface' })).toEqual([
      ['20000 oam-interface: down: no carrier'],
    ]);
    expect(sentences([history('a', text)], { name: 'nobody' })).toEqual([]);
    expect(sentences([history('a', text)], { fromMs: 15_000 })).toHaveLength(1);
  });
});

describe('how long both were active', () => {
  const A = `
    100 | group app | held by nobody -> held by a | grant | activation 1
    100 | group app | go-active -> active | members-changed
    100 | group everywhere | go-active -> active | members-changed
    10000 | node b | heard -> not heard | heartbeat | silence
    17000 | group app | active -> disabling | disable`;
  const B = `
    100 | group everywhere | go-active -> active | members-changed
    11000 | group app | held by nobody -> held by b | grant | activation 2
    11200 | group app | go-active -> active | members-changed
    60000 | node a | not heard -> heard | heartbeat | heard`;
  const overlaps = (a: string, b = B) =>
    told([history('a', a), history('b', b)]).incidents.flatMap((incident) => incident.overlaps);

  test('of a group that only one may have: from the beginning of the second to the end of the first', () => {
    expect(overlaps(A)).toEqual([{ group: 'app', fromMs: 11_200, toMs: 17_000, exact: true }]);
  });

  test('no longer than the one that fell silent for ever has written', () => {
    const dead = A.split('\n').slice(0, -1).join('\n');
    expect(overlaps(dead)).toEqual([]);
    expect(overlaps(`${dead}\n    15000 | node b | x -> y | heartbeat | z`)).toEqual([
      { group: 'app', fromMs: 11_200, toMs: 15_000, exact: false },
    ]);
  });

  test('is not claimed where the clocks may explain it', () => {
    expect(overlaps(A.replace('17000', '11690'))).toEqual([]);
  });
});

describe('how long nobody was active', () => {
  const A = `
    100 | group app | go-active -> active | members-changed
    1010 | group app | active -> go-standby | go-standby
    1050 | group app | go-standby -> standby | members-changed`;
  const B = `
    1000 | operation swact a | requested -> accepted | b-1 | | alice
    1060 | group app | standby -> go-active | go-active
    1100 | group app | go-active -> active | members-changed`;

  test('with both histories: from the end of one to the beginning of the other', () => {
    const absence = { group: 'app', fromMs: 1010, toMs: 1100, node: '', exact: true, by: 'b' };
    expect(told([history('a', A), history('b', B)]).incidents.at(-1)?.absences).toEqual([absence]);
  });

  test('with one of them nothing is claimed of an orderly move', () => {
    expect(
      told([history('a', A)], { complete: false }).incidents.flatMap(({ absences }) => absences),
    ).toEqual([]);
    expect(
      told([history('b', B)], { complete: false }).incidents.flatMap(({ absences }) => absences),
    ).toEqual([]);
  });

  const CRASH = `
    100 | group app | go-active -> active | members-changed
    90000 | daemon sm | not running -> running | boot`;
  const TAKER = `
    50800 | node a | heard -> not heard | heartbeat | silence
    51100 | group app | held by a -> held by nobody | released | policy takeover: a is silent for 1100 ms
    51100 | domain d | backup -> leader, number 4 | leadership | a is silent for 1100 ms
    51100 | group app | standby -> go-active | go-active
    51130 | group app | go-active -> active | members-changed`;

  test('a holder that died: from when it was last heard, and that is a bound', () => {
    const bound = { group: 'app', fromMs: 50_000, toMs: 51_130, node: '', exact: false, by: 'b' };
    const both = told([history('a', CRASH), history('b', TAKER)]);
    expect(both.incidents.flatMap(({ absences }) => absences)).toEqual([bound]);
    const survivor = told([history('b', TAKER)], { complete: false });
    expect(survivor.incidents.flatMap(({ absences }) => absences)).toEqual([bound]);
  });

  test('a restart of sm alone is no absence, a group that stays down is one without an end', () => {
    const restart = `
      100 | group app | go-active -> active | members-changed
      5000 | daemon sm | not running -> running | start
      5000 | group app | initial -> go-active | go-active
      5100 | group app | go-active -> active | members-changed
      9000 | group app | active -> disabling | disable
      9100 | group app | disabling -> disabled | members-changed`;
    expect(told([history('a', restart)]).incidents.flatMap(({ absences }) => absences)).toEqual([
      { group: 'app', fromMs: 9000, toMs: null, node: '', exact: true, by: '' },
    ]);
  });
});

describe('what the history can not tell', () => {
  test('deleted events, ends of sm with and without a word, starts of the kernel', () => {
    const text = `
      1000 | group app | standby -> disabled | disable
      5000 | daemon sm | not running -> running | start
      6000 | daemon sm | running -> leaving | shutdown | SIGTERM | system
      6100 | daemon sm | leaving -> not running | exit
      9000 | daemon sm | not running -> running | boot
      9500 | daemon sm | leaving -> not running | exit`;
    const common = { kind: 'not-running', node: 'a' };
    expect(told([history('a', text, 41)], { fromMs: 900, toMs: 20_000 }).notices).toEqual([
      { kind: 'trimmed', node: 'a', toMs: 1000 },
      { ...common, fromMs: 1000, toMs: 5000, exact: false, boot: false },
      { ...common, fromMs: 6100, toMs: 9000, exact: true, boot: true },
      { ...common, fromMs: 9500, toMs: null, exact: true, boot: false },
    ]);
    expect(told([history('a', text, 41)], { fromMs: 5500, toMs: 6050 }).notices).toEqual([]);
    expect(told([history('a', '')]).notices).toEqual([{ kind: 'empty', node: 'a' }]);
  });

  test('a clock that was set back is named, and divides what can not be compared', () => {
    const text = `
      3600000 | interface oam-interface | up, peer heard -> down | link | no carrier
      1000 | interface oam-interface | down -> up, peer heard | link`;
    const story = told([history('a', text)]);
    expect(story.notices).toEqual([{ kind: 'clock-back', node: 'a', atMs: 3_600_000, byMs: 3_599_000 }]);
    expect(story.incidents).toHaveLength(2);
  });
});

describe('two nodes', () => {
  const alarms = (byMs: number): string =>
    [10_000, 20_000, 30_000]
      .flatMap((at) => [
        `${at + byMs} | alarm 400.002 service_group=app | clear -> major | alarm`,
        `${at + 4000 + byMs} | alarm 400.002 service_group=app | major -> clear | alarm`,
      ])
      .join('\n');

  test('clocks that differ are found by what both told, and made one', () => {
    const story = told([history('a', alarms(0)), history('b', alarms(7000))]);
    expect(story.notices).toEqual([{ kind: 'clocks-differ', node: 'b', than: 'a', byMs: 7000, events: 6 }]);
    expect(story.incidents[0]).toMatchObject({ fromMs: 10_000, toMs: 34_000, events: 4, times: 3 });
    expect(story.incidents[0]?.lines).toHaveLength(1);
  });

  test('clocks that agree are left alone, and so are those of which nothing is known', () => {
    expect(told([history('a', alarms(0)), history('b', alarms(40))]).notices).toEqual([]);
    const single = '5000 | alarm 400.002 service_group=app | clear -> major | alarm';
    expect(told([history('a', alarms(0)), history('b', single)]).notices).toEqual([]);
  });

  test('each keeps its own order, whatever its clock says', () => {
    const back = `
      5000 | interface oam-interface | up, peer heard -> down | link | first
      4900 | interface admin-interface | up, peer heard -> down | link | second`;
    const lines = sentences([
      history('a', back),
      history('b', '4950 | node c | heard -> not heard | heartbeat | x'),
    ]);
    expect(lines.flat().filter((line) => line.includes('interface'))).toHaveLength(2);
  });
});
