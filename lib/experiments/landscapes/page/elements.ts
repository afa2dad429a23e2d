/** The element of an id, which index.html has. */
export function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html: expected an element with id ${id}, found none`);
  return found as T;
}

/** Calls back with the value of a group of radio buttons when it changes. */
export function onChoice(name: string, call: (value: string) => void): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)) {
    input.addEventListener('change', () => call(input.value));
  }
}

/** Calls back with the value of a select when it changes. */
export function onSelect(id: string, call: (value: string) => void): void {
  const select = element<HTMLSelectElement>(id);
  select.addEventListener('change', () => call(select.value));
}

/** Calls back with the whole number of a slider while it moves. */
export function onSlide(id: string, call: (value: number) => void): HTMLInputElement {
  const input = element<HTMLInputElement>(id);
  input.addEventListener('input', () => call(Number(input.value)));
  return input;
}

/**
 * Calls back with where the pointer is, in CSS pixels from the canvas's upper left, when it is pressed and while it is
 * dragged from there. A finger that moves up or down scrolls the page instead.
 */
export function onDrag(
  canvas: HTMLCanvasElement,
  call: (x: number, y: number, moved: { readonly x: number; readonly y: number }) => void,
): void {
  let last: { x: number; y: number } | undefined;
  const report = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    const here = { x: event.clientX - box.left, y: event.clientY - box.top };
    const from = last ?? here;
    last = here;
    call(here.x, here.y, { x: here.x - from.x, y: here.y - from.y });
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = undefined;
    report(event);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) report(event);
  });
}
