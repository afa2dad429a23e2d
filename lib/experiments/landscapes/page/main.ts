import { installReceiver, loadSetting } from './loading';
import { startPage } from './racePage';

installReceiver();
loadSetting()
  .then(startPage)
  .catch((error: Error) => {
    document.getElementById('status')!.textContent = error.message;
    throw error;
  });
