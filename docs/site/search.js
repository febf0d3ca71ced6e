/* Search in uvowIndex (search-index.js): [title, page, text]. No server. */
(function () {
  "use strict";
  var field = document.getElementById("search");
  var list = document.getElementById("found");
  var root = field.dataset.root;

  function score(entry, words) {
    var title = entry[0].toLowerCase(), text = entry[2].toLowerCase();
    var sum = 0;
    for (var i = 0; i < words.length; i++) {
      var word = words[i];
      if (title === word) sum += 100;
      else if (title.indexOf(word) === 0) sum += 40;
      else if (title.indexOf(word) >= 0) sum += 25;
      else if (text.indexOf(word) >= 0) sum += 5;
      else return 0;
    }
    return sum + 10 / (title.length + 1);
  }

  function show() {
    var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.textContent = "";
    if (!words.length) return;
    uvowIndex
      .map(function (entry) { return [score(entry, words), entry]; })
      .filter(function (pair) { return pair[0] > 0; })
      .sort(function (a, b) { return b[0] - a[0]; })
      .slice(0, 20)
      .forEach(function (pair) {
        var item = document.createElement("li");
        var link = document.createElement("a");
        var small = document.createElement("small");
        link.href = root + pair[1][1];
        link.textContent = pair[1][0];
        small.textContent = pair[1][2].slice(0, 110);
        item.append(link, small);
        list.append(item);
      });
  }

  field.value = new URLSearchParams(location.search).get("q") || "";
  show();
  field.addEventListener("input", show);
  field.addEventListener("keydown", function (event) {
    var first = list.querySelector("a");
    if (event.key === "Enter" && first) location.href = first.href;
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && document.activeElement !== field) {
      event.preventDefault();
      field.focus();
    }
  });
})();
