// Repairs Streamlit's markup where keyboards and screen readers fail.

const SCROLLS = '.katex-display, [data-testid="stCode"] pre, .gpt-toy';

function mend() {
  // The sections of the navigation are children of a list, but not list items.
  for (const section of document.querySelectorAll('[data-testid="stSidebarNavItems"] > div')) {
    section.setAttribute("role", "listitem");
    for (const item of section.querySelectorAll(":scope > li")) item.setAttribute("role", "none");
  }
  // Boxes that overflow can be scrolled with the arrow keys.
  for (const box of document.querySelectorAll(SCROLLS)) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

const PAUSE_MS = 300; // live pages change often

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
