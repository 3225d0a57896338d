// Two lines and their names. The style rules draw them, once: the elements stay between redraws.

export default function ({ data, parentElement }) {
  const host = parentElement.querySelector(".recorded-curve");
  host.setAttribute("aria-label", data.description);
  const lastStep = data.losses.at(-1)[0];
  const highest = Math.max(...data.losses.flatMap(([, train, val]) => [train, val]));
  ["train", "val"].forEach((name, i) => {
    const places = data.losses.map((row) => [(100 * row[0]) / lastStep, 100 - (100 * row[i + 1]) / highest]);
    host.querySelector(`polyline.${name}`).setAttribute("points", places.join(" "));
    host.querySelector(`span.${name}`).style.top = `${places.at(-1)[1]}%`;
  });
}
