import { describe, expect, it } from 'vitest';
import { learnedOptions } from '../../bench/training/contestants';
import { parseOptions } from '../../bench/training/options';

/** What the command line says to wrong arguments. */
function complaint(...args: string[]): string {
  let text = '';
  expect(() => parseOptions(args, (part) => (text += part))).toThrow();
  return text;
}

describe('options of bench:training', () => {
  it('are both networks at 75 pixels with batches of 1 to 64 unless given', () => {
    expect(parseOptions([])).toMatchObject({
      networks: ['resnet50v2', 'inceptionv3'],
      batchSizes: [1, 4, 16, 64],
      size: 75,
      optimizers: ['learned'],
      force: false,
    });
  });

  it('sort batch sizes, name each once, and take Adam as given', () => {
    const { batchSizes, optimizers } = parseOptions(['--batch-sizes', '16,1,16', '--optimizers', 'adam,learned']);
    expect([batchSizes, optimizers]).toEqual([[1, 16], ['learned']]);
  });

  it('teach with --help', () => {
    const help = complaint('--help');
    for (const word of ['trainOnBatch', 'Examples:', '--picture', 'learned+zeroCopy', 'Exit codes']) {
      expect(help).toContain(word);
    }
  });

  it.each([
    [['--batch-sizes', '1,x'], /--batch-sizes.*Expected whole numbers of at least 1, got 'x'/],
    [['--steps', '0'], /--steps.*Expected whole numbers of at least 1, got '0'/],
    [['--networks', 'vgg'], /--networks.*Expected some of resnet50v2.*got 'vgg'/],
    [['--size', '50'], /--size: inceptionv3 needs at least 75 pixels, got 50/],
    [['--optimizers', 'sgd'], /--optimizers.*expected adam, learned or learned:PRESET, got 'sgd'/],
    [['--optimizers', 'learned:none'], /preset of optimizer 'learned:none': expected one of .*hrnn-3.*, got 'none'/],
    [['--optimizers', 'learned+fast'], /switch of .*: expected one of zeroCopy, stateBits16, got 'fast'/],
    [['--optimizers', 'adam'], /--optimizers: expected one to compare with adam, such as learned, got none/],
  ])('refuse %j and say why', (args, message) => {
    expect(complaint(...args)).toMatch(message);
  });

  it('turn the name of a learned optimizer into its options', () => {
    expect(learnedOptions('learned')).toEqual({});
    expect(learnedOptions('learned:hrnn-3+zeroCopy+stateBits16')).toEqual({
      preset: 'hrnn-3',
      zeroCopy: true,
      stateBits: 16,
    });
  });
});
