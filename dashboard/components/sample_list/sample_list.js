// A list of texts. Everything is set as textContent, never as markup.

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

export default function ({ data, parentElement }) {
  const list = parentElement.querySelector(".sample-list");
  list.setAttribute("aria-label", data.label);
  list.style.setProperty("--copied", data.color);
  list.replaceChildren(
    ...data.entries.map((entry) => {
      const item = element("li", "", "");
      const text = element("p", "text", "");
      text.append(
        ...entry.pieces.map(([words, kind]) => element(kind === "copied" || kind === "wrong" ? "mark" : "span", kind, words)),
      );
      item.append(element("span", "heading", entry.heading), element("span", "note", entry.note), text);
      return item;
    }),
  );
}
