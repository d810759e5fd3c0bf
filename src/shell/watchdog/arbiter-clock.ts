/**
 * Times in the words of `sm-arbiter`, which knows CLOCK_MONOTONIC alone, and those of the guard, whose clock counts suspensions
 * too. All of them are moments that have been.
 */
import type { FromArbiter, ToArbiter } from '../../core/arbiter/messages.ts';
import type { GuardClock } from './guard-clock.ts';

export function fromArbiter(message: FromArbiter, clock: Pick<GuardClock, 'fromPast'>): FromArbiter {
  switch (message.type) {
    case 'fact': {
      const { fact } = message;
      if (fact.type === 'arbiter.renewed')
        return { ...message, fact: { ...fact, askedAt: clock.fromPast(fact.askedAt) } };
      if (fact.type === 'arbiter.granted')
        return { ...message, fact: { ...fact, quietSince: clock.fromPast(fact.quietSince) } };
      return message;
    }
    case 'fenced': {
      const { proof } = message;
      return proof === null ? message : { ...message, proof: { ...proof, at: clock.fromPast(proof.at) } };
    }
    default:
      return message;
  }
}

export function toArbiter(message: ToArbiter, clock: Pick<GuardClock, 'toSm'>): ToArbiter {
  switch (message.type) {
    case 'peer': {
      const { word } = message;
      return { ...message, word: { ...word, lastReceiptAt: clock.toSm(word.lastReceiptAt) } };
    }
    case 'proof':
      return { ...message, proof: { ...message.proof, at: clock.toSm(message.proof.at) } };
    default:
      return message;
  }
}
