import type { Task } from '../tasks/task';
import { mlpOptimizee } from './optimizees';

const mlp = (activation: 'sigmoid' | 'relu', steps: number): Task => ({
  name: `l2l-${activation}-${steps}`,
  title: `784-20-10 ${activation}, MNIST, ${steps} steps`,
  data: 'mnist',
  sampling: 'replacement',
  steps,
  evaluateEvery: steps / 20,
  problem({ mnist }) {
    if (!mnist) throw new RangeError('data.mnist: expected images for this task, got none');
    return mlpOptimizee(mnist, activation);
  },
});

/**
 * What L2L was meta-trained for, the sigmoid network and 100 steps, and what it was not: relu, and ten times as many steps
 * (Andrychowicz et al. 2016, section 3.2; Wichrowska et al. 2017, figure 2).
 */
export const L2L_TASKS: readonly Task[] = [
  mlp('sigmoid', 100),
  mlp('relu', 100),
  mlp('sigmoid', 1000),
  mlp('relu', 1000),
];
