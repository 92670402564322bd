/** The part of asciichart (which ships no types) that Thaw uses. */
declare module "asciichart" {
  export interface PlotOptions {
    readonly height?: number;
    readonly format?: (value: number) => string;
  }
  export function plot(series: readonly number[], options?: PlotOptions): string;
  const asciichart: { readonly plot: typeof plot };
  export default asciichart;
}
