/**
 * What a trace must not hold. Keys never come near the engine; the parameters of services and fence devices do, and a
 * failing script may print one of them. They change nothing that the engine decides, so a covered trace replays all the same.
 */
import type { ArbiterDefinitions } from '../../core/definitions/arbiter-model.ts';
import type { DefinitionSet } from '../../core/definitions/model.ts';
import type { EngineEvent } from '../../core/engine-interface.ts';
import { isSecretName } from '../../core/kernel/secret-names.ts';
import { parseParameters } from '../../core/service/invocation.ts';
import { CENSORED, Secrets } from '../support/secrets.ts';

export class Cover {
  readonly #secrets = new Secrets();

  /** The same set without the values of parameters whose names say that they are secret. */
  definitions(set: DefinitionSet): DefinitionSet {
    const services = [...set.services].map(([name, service]) => {
      const actions = [...service.actions].map(
        ([action, definition]) =>
          [
            action,
            { ...definition, pluginParameters: this.#parameters(definition.pluginParameters) },
          ] as const,
      );
      const instanceParameters = this.#parameters(service.instanceParameters);
      return [name, { ...service, instanceParameters, actions: new Map(actions) }] as const;
    });
    const covered = { ...set, services: new Map(services) };
    return set.arbiters === undefined ? covered : { ...covered, arbiters: this.#arbiters(set.arbiters) };
  }

  /** What scripts print goes on into reasons and the history: there, too, secrets have no place. */
  event(event: EngineEvent): EngineEvent {
    if (event.type !== 'run.done' || event.outputTail === '') return event;
    const outputTail = this.#secrets.cleanKnown(event.outputTail);
    return outputTail === event.outputTail ? event : { ...event, outputTail };
  }

  #parameters(text: string): string {
    const parsed = parseParameters(text);
    if (!parsed.ok) return text;
    return parsed.entries.map(([name, value]) => `${name}=${this.#value(name, value)}`).join(',');
  }

  #value(name: string, value: string): string {
    if (!isSecretName(name)) return value;
    this.#secrets.add(value);
    return CENSORED;
  }

  #arbiters(arbiters: ArbiterDefinitions): ArbiterDefinitions {
    const devices = arbiters.fencing.devices.map((device) => ({
      ...device,
      parameters: device.parameters.map(([name, value]) => [name, this.#value(name, value)] as const),
    }));
    return { ...arbiters, fencing: { ...arbiters.fencing, devices } };
  }
}
