// Draws every chart of the page from the data beside it. Expressions are interpreted (ast), never
// compiled, so that the page needs no right to make code out of text.
for (const place of document.querySelectorAll("[data-chart]")) {
  const spec = JSON.parse(document.getElementById(place.dataset.chart).textContent);
  const renderer = spec.usermeta?.embedOptions?.renderer ?? "svg";
  delete spec.usermeta;
  vegaEmbed(place, spec, { actions: false, ast: true, renderer }).then(() => {
    place.dataset.drawn = "yes";
  });
}
