// Without this script the page is what it was when it was loaded. With it the log grows, and the overview follows.
(() => {
  const log = document.getElementById('log');
  if (log) {
    fetch(log.dataset.live).then(async (answer) => {
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      const wasOver = document.querySelector('h1 .state:not(.busy)');
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
        log.textContent = text;
        if (atEnd) log.scrollTop = log.scrollHeight;
      }
      // The build has ended: its outcome and its image are on the page now.
      if (!wasOver) location.reload();
    }).catch(() => {});
    return;
  }
  const main = document.getElementById('main');
  setInterval(async () => {
    // Whoever is in a table keeps the place.
    if (document.hidden || main.contains(document.activeElement) && document.activeElement !== main) return;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: 'text/html' } });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      main.innerHTML = page.getElementById('main').innerHTML;
    } catch { /* The emulator may have ended; what is shown stays. */ }
  }, 2000);
})();
