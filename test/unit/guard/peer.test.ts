import { describe, expect, it } from 'vitest';
import { NO_LIFE } from '../../../src/core/link/frame.ts';
import { splitReport } from '../../../src/core/link/parts.ts';
import { encodeReport } from '../../../src/core/link/report.ts';
import { emptyReport, FakePeer, GuardDriver, life, MANAGEMENT, OAM } from '../../support/guard-driver.ts';

describe('hearing the peer (rules 2 and 6)', () => {
  it('confirms a life that echoes ours, and no other', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.send({ echoLife: NO_LIFE, echoSequence: 0 });
    expect(g.guard.view().peerHeard).toBe(false);
    peer.send({ echoLife: life('somebody'), echoSequence: peer.echoSequence });
    expect(g.guard.view().peerHeard).toBe(false);
    peer.send();
    expect(g.told('guard.peer').at(-1)).toMatchObject({
      heard: true,
      processLife: peer.life,
      newKernelLife: false,
    });
  });

  it('answers a stranger with its life, not more often than twice a hello', () => {
    const g = new GuardDriver({ roles: [MANAGEMENT] });
    const peer = new FakePeer(g);
    peer.hears = false;
    peer.echoSequence = 0;
    g.pass(50);
    g.clear();
    for (let i = 0; i < 20; i++) peer.send();
    expect(g.of('send').length).toBe(1);
    expect(g.lastSent.echoLife).toBe(peer.life);
  });

  it('takes an echo of a sequence sent too long ago for no sign of being heard', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(1000);
    peer.hears = false;
    peer.talk(2000);
    expect(g.guard.view().peerHeard).toBe(false);
    expect(g.guard.view().silentSince).toBeNull();
    expect(g.told('guard.peer').at(-1)).toMatchObject({ heard: false, mayTake: false });
    expect(g.told('guard.peer').at(-1)).toHaveProperty(
      'reason',
      'the peer is heard but does not hear this node',
    );
    peer.hears = true;
    g.pass(1);
    peer.talk(400);
    expect(g.guard.view().peerHeard).toBe(true);
  });

  it('drops an ended life for good', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    const old = peer.frame();
    peer.life = life('next');
    peer.sequence = 0;
    peer.talk(400);
    expect(g.told('guard.peer').at(-1)).toMatchObject({ processLife: life('next') });
    g.pass(2000);
    const since = g.guard.view().silentSince;
    expect(since).not.toBeNull();
    peer.deliver(old);
    expect(g.guard.view().silentSince).toBe(since);
  });

  it('tells a new kernel life of the same machine as a proof, of another machine not (rule 7)', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    const reborn = (name: string, kernel: string, machine: string) => {
      peer.life = life(name);
      peer.kernelLife = life(kernel);
      peer.productUuid = life(machine);
      peer.sequence = 0;
      peer.talk(400);
      return g.told('guard.peer').at(-1);
    };
    expect(reborn('b', 'peer kernel', 'peer machine')).toMatchObject({ newKernelLife: false });
    expect(reborn('c', 'kernel 2', 'peer machine')).toMatchObject({ newKernelLife: true });
    expect(reborn('d', 'kernel 3', 'machine 2')).toMatchObject({ newKernelLife: false });
  });

  it('lets a late frame renew nothing: neither a silence, nor a report, nor hearing', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    const late = peer.frame();
    peer.talk(400);
    const lastReceived = g.now;
    g.pass(700);
    peer.deliver(late);
    g.pass(150);
    expect(g.guard.view()).toMatchObject({ peerHeard: false, silentSince: lastReceived });
  });

  it('takes one sequence on several links for one frame, and each link for heard', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400, {}, [OAM]);
    expect(
      g
        .told('guard.link')
        .filter(({ heard }) => heard)
        .map(({ role }) => role),
    ).toEqual([OAM]);
    g.clear();
    peer.report(1);
    expect(g.told('guard.report').length).toBe(1);
    expect(g.guard.view().links.map(({ heard }) => heard)).toEqual([true, true]);
  });

  it('takes reports from the newest frames only, and each version once', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    peer.report(2, emptyReport({ number: 22 }));
    peer.report(2, emptyReport({ number: 22 }));
    const sequence = peer.sequence;
    peer.sequence = sequence - 2;
    peer.report(3, emptyReport({ number: 33 }));
    peer.sequence = sequence;
    expect(g.told('guard.report').map(({ version, report }) => [version, report.number])).toEqual([[2, 22]]);
    peer.report(4, emptyReport({ number: 44 }));
    expect(g.told('guard.report').at(-1)?.report.number).toBe(44);
  });

  it('takes a part that was overtaken on its way, of the report that the newest frame names', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    const bytes = encodeReport(emptyReport({ number: 22 }));
    const parts = splitReport(bytes, Math.ceil(bytes.length / 2));
    const [first, second] = parts.map((body, part) =>
      peer.frame({ reportVersion: 2 }, part, parts.length, body),
    );
    if (first === undefined || second === undefined) throw new Error('one part');
    peer.deliver(second);
    expect(g.told('guard.peer-links').at(-1)?.reportVersion).toBe(2);
    peer.deliver(first);
    expect(g.told('guard.report').map(({ version, report }) => [version, report.number])).toEqual([[2, 22]]);
  });

  it('takes the reports of a new life from its first version on', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    peer.report(9);
    peer.life = life('next');
    peer.sequence = 0;
    peer.header = {};
    peer.talk(200);
    peer.report(1, emptyReport({ number: 5 }));
    expect(g.told('guard.report').at(-1)).toMatchObject({ version: 1, report: { number: 5 } });
  });

  it('does not tell a report from before a silence as a current one', () => {
    const g = new GuardDriver();
    const peer = new FakePeer(g);
    peer.talk(400);
    peer.report(1);
    g.pass(2000);
    g.clear();
    peer.send({ reportVersion: 2 });
    peer.send({ reportVersion: 2 });
    expect(g.guard.view().peerHeard).toBe(true);
    expect(g.told('guard.report')).toEqual([]);
  });

  it('sends its report at once to a peer that is heard (again): the exchange waits for no repeat', () => {
    const g = new GuardDriver();
    g.step({ type: 'sm.report', version: 1, parts: [Uint8Array.of(1)], announceNumber: 0, leaving: false });
    g.pass(500);
    g.clear();
    new FakePeer(g).send();
    new FakePeer(g).send({ echoLife: g.ownLife, echoSequence: g.lastSent.sequence });
    expect(g.guard.view().peerHeard).toBe(true);
    expect(g.of('send').some(({ frame }) => frame.parts === 1)).toBe(true);
  });

  it('echoes whoever was heard last, so that two sides with late strangers do not wait for ever', () => {
    const g = new GuardDriver({ roles: [MANAGEMENT] });
    const peer = new FakePeer(g);
    peer.talk(400);
    peer.hears = false;
    peer.talk(2000);
    const late = new FakePeer(g, 'an older life');
    late.hears = false;
    late.send();
    g.pass(200);
    expect(g.lastSent.echoLife).toBe(late.life);
    peer.send();
    g.pass(200);
    expect(g.lastSent.echoLife).toBe(peer.life);
  });

  it('never lets a stranger replace the echo that a heard peer gets', () => {
    const g = new GuardDriver({ roles: [MANAGEMENT] });
    const peer = new FakePeer(g);
    peer.talk(400);
    const stranger = new FakePeer(g, 'stranger');
    stranger.hears = false;
    stranger.send();
    expect(g.lastSent.echoLife).toBe(peer.life);
  });

  it('counts reports anew in each of its lives, whatever sm counts', () => {
    const g = new GuardDriver();
    for (const version of [7, 1]) {
      g.step({ type: 'sm.report', version, parts: [Uint8Array.of(1)], announceNumber: 0, leaving: false });
    }
    expect(g.lastSent.reportVersion).toBe(2);
  });
});
