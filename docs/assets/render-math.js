// Formulas as pymdownx.arithmatex leaves them, <span|div class="arithmatex">\(...\) or \[...\]</>, set by KaTeX.
for (const element of document.querySelectorAll(".arithmatex")) {
  const source = element.textContent.trim()
  katex.render(source.slice(2, -2), element, { displayMode: source.startsWith("\\["), throwOnError: false })
}
