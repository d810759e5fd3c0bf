/**
 * The state of an engine as a value, and an engine set to it: so that a trace whose beginning is gone begins with a state.
 * The objects of the engine are walked as they are. Nothing here knows what they mean: a class is seen through its own
 * public fields and STATE, functions are left where they are, and what comes from the options is named by its place there.
 */
import { CACHES, STATE } from '../kernel/state.ts';

/** A number, a text and so on stand for themselves. `r`: object of that number. `o`: place in the options. */
type Value =
  | null
  | boolean
  | number
  | string
  | { readonly r: number }
  | { readonly o: readonly (string | number)[] }
  | { readonly is: 'function' | 'undefined' };
type Fields = readonly (readonly [name: string, value: Value])[];

interface Part {
  readonly kind: 'map' | 'set' | 'array' | 'object';
  /** Of what is neither; '' = an object without one. */
  readonly of: string;
  /** Of a map: its keys, too. */
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
  readonly fields: Fields;
  readonly hidden: Fields;
}

/** All parts, the engine itself first. JSON can hold it (trace/text.ts). */
export type Snapshot = readonly Part[];

type Shown = Record<string, unknown>;

/** `root` must not be within a step. */
export function capture(root: object, options: object): Snapshot {
  const outer = placesIn(options);
  const numbers = new Map<object, number>([[root, 0]]);
  const found: object[] = [root];
  const value = (part: unknown): Value => {
    if (typeof part === 'function') return { is: 'function' };
    if (part === undefined) return { is: 'undefined' };
    if (typeof part !== 'object' || part === null) return part as Value;
    const place = outer.get(part);
    if (place !== undefined) return { o: place };
    const number = numbers.get(part) ?? found.push(part) - 1;
    numbers.set(part, number);
    return { r: number };
  };
  const fields = (shown: Shown): Fields =>
    Object.entries(shown).map(([name, part]) => [name, value(part)] as const);
  const parts: Part[] = [];
  for (let number = 0; number < found.length; number += 1) {
    const part = found[number] as object;
    const kind = kindOf(part);
    parts.push({
      kind,
      of: classOf(part),
      keys: part instanceof Map ? [...part.keys()].map(value) : [],
      values: isContainer(part) ? [...part.values()].map(value) : [],
      fields: kind === 'object' ? fields(openOf(part)) : [],
      hidden: fields(hiddenOf(part)),
    });
  }
  return parts;
}

/**
 * Sets an engine that was made from `options`, and not started, to what was captured.
 * @throws Error where it is not of this engine.
 */
export function restore(root: object, options: object, parts: Snapshot): void {
  const bound = bind(root, parts);
  const objects = parts.map((part, number) => bound.get(number) ?? created(part));
  const real = (value: Value): unknown => {
    if (value === null || typeof value !== 'object') return value;
    if ('o' in value) return at(options, value.o);
    if ('r' in value) return objects[value.r];
    return undefined;
  };
  const told = (fields: Fields) =>
    fields.filter(([, value]) => !isFunction(value)).map(([name, value]) => [name, real(value)] as const);
  for (const [number, part] of parts.entries()) {
    const object = objects[number] as object;
    const values = part.values.map(real);
    if (object instanceof Map)
      refill(object, () =>
        values.forEach((value, index) => void object.set(real(part.keys[index] ?? null), value)),
      );
    else if (object instanceof Set) refill(object, () => values.forEach((value) => void object.add(value)));
    else if (Array.isArray(object)) object.push(...values);
    for (const [name, value] of told(part.fields)) Reflect.set(object, name, value);
    if (part.hidden.length > 0) Reflect.set(object, STATE, Object.fromEntries(told(part.hidden)));
  }
}

function refill(container: { clear(): void }, fill: () => void): void {
  container.clear();
  fill();
}

/**
 * What the new engine has already and nobody else may stand for: instances, maps and sets, and objects with functions in
 * them. Found at the same places. Everything else is made anew, for it may be a constant that others use as well.
 */
function bind(root: object, parts: Snapshot): Map<number, object> {
  const bound = new Map<number, object>([[0, root]]);
  const waiting: [part: Part, object: object][] = [[first(parts), root]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [part, object] = next;
    const children: (readonly [Value, unknown])[] = [
      ...part.fields.map(([name, value]) => [value, (object as Shown)[name]] as const),
      ...part.hidden.map(([name, value]) => [value, hiddenOf(object)[name]] as const),
    ];
    if (object instanceof Map)
      children.push(...part.values.map((value, index) => [value, object.get(part.keys[index])] as const));
    if (Array.isArray(object))
      children.push(...part.values.map((value, index) => [value, object[index]] as const));
    for (const [value, child] of children) {
      if (!isReference(value) || bound.has(value.r) || typeof child !== 'object' || child === null) continue;
      const twin = parts[value.r];
      if (twin === undefined || twin.kind !== kindOf(child) || twin.of !== classOf(child)) continue;
      if (isOwn(child, twin)) bound.set(value.r, child);
      waiting.push([twin, child]);
    }
  }
  return bound;
}

function isOwn(object: object, { of, fields }: Part): boolean {
  if (object instanceof Map || object instanceof Set || of !== '') return true;
  return fields.some(([, value]) => isFunction(value));
}

function created({ kind, of }: Part): object {
  if (of !== '') throw new Error(`the engine made from the options has no such ${of}`);
  if (kind === 'map') return new Map();
  if (kind === 'set') return new Set();
  return kind === 'array' ? [] : {};
}

function first(parts: Snapshot): Part {
  const [part] = parts;
  if (part === undefined) throw new Error('there is no state in it');
  return part;
}

function isReference(value: Value): value is { readonly r: number } {
  return typeof value === 'object' && value !== null && 'r' in value;
}

function isFunction(value: Value): boolean {
  return typeof value === 'object' && value !== null && 'is' in value && value.is === 'function';
}

function isContainer(part: object): part is Map<unknown, unknown> | Set<unknown> | unknown[] {
  return kindOf(part) !== 'object';
}

function kindOf(part: object): Part['kind'] {
  if (part instanceof Map) return 'map';
  if (part instanceof Set) return 'set';
  return Array.isArray(part) ? 'array' : 'object';
}

function classOf(part: object): string {
  const made = Object.getPrototypeOf(part) as object | null;
  if (kindOf(part) !== 'object' || made === null || made === Object.prototype) return '';
  return part.constructor.name;
}

function openOf(part: object): Shown {
  const { [CACHES]: caches = [] } = part.constructor as { readonly [CACHES]?: readonly string[] };
  return Object.fromEntries(Object.entries(part).filter(([name]) => !caches.includes(name)));
}

function hiddenOf(part: object): Shown {
  return (part as { readonly [STATE]?: Shown })[STATE] ?? {};
}

/** Where each object of the options is, at the first place. */
function placesIn(options: object): Map<object, readonly (string | number)[]> {
  const places = new Map<object, readonly (string | number)[]>([[options, []]]);
  for (const [object, place] of places) {
    const entries: Iterable<readonly [unknown, unknown]> =
      object instanceof Map ? object : object instanceof Set ? [] : Object.entries(object);
    for (const [name, part] of entries)
      if (typeof part === 'object' && part !== null && !places.has(part) && typeof name === 'string')
        places.set(part, [...place, name]);
  }
  return places;
}

function at(options: object, place: readonly (string | number)[]): unknown {
  let part: unknown = options;
  for (const name of place) {
    if (typeof part !== 'object' || part === null) throw new Error(`no ${place.join('/')} in the options`);
    part = part instanceof Map ? part.get(name) : (part as Shown)[name];
  }
  return part;
}
