// Streamlit's own markup, mended: what a keyboard cannot reach, what a screen reader cannot tell.

const SCROLLS = '.katex-display, [data-testid="stCode"] pre, .gpt-toy';

function mend() {
  // The sections of the navigation stand between the items of a list without being any.
  for (const section of document.querySelectorAll('[data-testid="stSidebarNavItems"] > div')) {
    section.setAttribute("role", "listitem");
    for (const item of section.querySelectorAll(":scope > li")) item.setAttribute("role", "none");
  }
  // What is too large for its place can be scrolled with the arrow keys.
  for (const box of document.querySelectorAll(SCROLLS)) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

const PAUSE_MS = 300; // a page that ticks changes often

export default function () {
  mend();
  if (window.gptLabMends) return;
  let waits = false;
  window.gptLabMends = new MutationObserver(() => {
    if (waits) return;
    waits = true;
    setTimeout(() => { waits = false; mend(); }, PAUSE_MS);
  });
  window.gptLabMends.observe(document.body, { childList: true, subtree: true });
}
