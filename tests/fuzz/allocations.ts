/**
 * Watches the largest single piece of memory that code asks for: buffers, typed arrays, lists of a given length and
 * repeated texts. What the runtime takes by itself (texts that are joined, lists that grow) shows in the heap instead.
 */

type Buffers = ArrayBufferConstructor | SharedArrayBufferConstructor | Int8ArrayConstructor | Uint8ArrayConstructor | Uint8ClampedArrayConstructor | Int16ArrayConstructor
  | Uint16ArrayConstructor | Int32ArrayConstructor | Uint32ArrayConstructor | Float32ArrayConstructor | Float64ArrayConstructor | BigInt64ArrayConstructor | BigUint64ArrayConstructor;

const NAMES = [
  'ArrayBuffer', 'SharedArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array',
  'BigInt64Array', 'BigUint64Array',
] as const;
/** Bytes of an element of a plain list. */
const POINTER_BYTES = 8;

export interface AllocationWatch {
  /** The largest piece since the last call, in bytes. */
  takeLargest(): number;
  /** Puts everything back. */
  end(): void;
}

/** Begins to watch this thread; `end` it before anything else does. */
export function watchAllocations(): AllocationWatch {
  let largest = 0;
  const note = (bytes: number): void => {
    if (bytes > largest) largest = bytes;
  };
  const undo: (() => void)[] = [];
  const put = (object: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(object, name);
    Object.defineProperty(object, name, { ...before, value });
    undo.push(() => Object.defineProperty(object, name, { ...before }));
  };
  for (const name of NAMES) {
    const original: Buffers = globalThis[name];
    put(globalThis, name, new Proxy<Buffers>(original, {
      construct(target, given: unknown[], proxy): object {
        const made: unknown = Reflect.construct(target, given, proxy);
        if (typeof made !== 'object' || made === null) throw new Error('A constructor gave no object.');
        // A view of memory that is there already takes none.
        if (!(given[0] instanceof ArrayBuffer) && 'byteLength' in made && typeof made.byteLength === 'number') note(made.byteLength);
        return made;
      },
    }));
  }
  for (const name of ['alloc', 'allocUnsafe', 'from', 'concat'] as const) {
    const original: unknown = Buffer[name];
    if (typeof original !== 'function') continue;
    put(Buffer, name, (...given: unknown[]): unknown => {
      const made: unknown = Reflect.apply(original, Buffer, given);
      if (made instanceof Buffer && !(given[0] instanceof ArrayBuffer)) note(made.byteLength);
      return made;
    });
  }
  const from: unknown = Array.from;
  put(Array, 'from', function (this: unknown, ...given: unknown[]): unknown {
    const [source] = given;
    if (typeof source === 'object' && source !== null && 'length' in source && typeof source.length === 'number') note(source.length * POINTER_BYTES);
    const made: unknown = typeof from === 'function' ? Reflect.apply(from, this, given) : undefined;
    return made;
  });
  for (const name of ['repeat', 'padStart', 'padEnd'] as const) {
    const original: unknown = String.prototype[name];
    put(String.prototype, name, function (this: string, ...given: unknown[]): unknown {
      const made: unknown = typeof original === 'function' ? Reflect.apply(original, this, given) : '';
      if (typeof made === 'string') note(made.length);
      return made;
    });
  }
  return {
    takeLargest() {
      const found = largest;
      largest = 0;
      return found;
    },
    end() {
      for (const put of undo.reverse()) put();
    },
  };
}
