/** A table as data: the terminal, the report and JSON each render it their own way. */
export interface Table {
  readonly columns: readonly { readonly title: string; readonly align: 'left' | 'right' }[];
  readonly rows: readonly (readonly string[])[];
}

/** Columns of which the first is aligned left and the rest, numbers, right. */
export function columns(...titles: string[]): Table['columns'] {
  return titles.map((title, index) => ({ title, align: index === 0 ? 'left' : 'right' }));
}
