#!/bin/bash
# check_report.sh REPORT.html - looks at a report in headless Chromium: needs nothing from outside, no error in its script,
# nothing wider than the window at 1280 and 390 pixels, every picture shown, and the filter for right and wrong tells them
# apart.  Prints what it found; exits 1 where anything is amiss.
set -u
report=$(realpath "$1")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    { echo "no Chromium here"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if sed 's/"data:image[^"]*"//g' "$report" | grep -oE "(src|href)=[\"'][^\"']*|url\([^)]*|https?://[^\"' <]*" | grep . ; then
    echo "the page names something outside itself"
    exit 1
fi

sed '/<\/body>/d; /<\/html>/d' "$report" >"$scratch/page.html"
cat >>"$scratch/page.html" <<'END'
<script>
(function () {
  var out = document.createElement('pre'), lines = [];
  function count(css) { return document.querySelectorAll(css).length; }
  function choose(value) {
    var v = document.getElementById('verdict'), more = document.getElementById('more');
    v.value = value;
    v.dispatchEvent(new Event('change'));
    while (!more.hidden) more.click();
    lines.push('filter ' + (value || 'all') + ': right ' + count('.r.ok') + ', wrong ' + count('.r:not(.ok)'));
  }
  function say() {
    var broken = 0;
    document.querySelectorAll('.pics img').forEach(function (m) { broken += !(m.complete && m.naturalWidth); });
    lines.push('pictures ' + count('.pics img') + ', broken ' + broken);
    lines.push('width ' + document.documentElement.scrollWidth + ' of ' + window.innerWidth);
    lines.push(window.errors || 'no errors');
    out.id = 'checked';
    out.textContent = '\n' + lines.join('\n') + '\n';
    document.body.appendChild(out);
  }
  ['right', 'wrong', ''].forEach(choose);
  document.querySelectorAll('.pics img').forEach(function (m) { m.loading = 'eager'; });
  setTimeout(say, 2000);
})();
</script>
</body></html>
END
sed -i '0,/<head>/s//<head><script>window.onerror=function(m){window.errors=(window.errors||"")+"error: "+m+" "}<\/script>/' \
    "$scratch/page.html"

bad=0
for width in 1280 390; do
    # in a frame, because a window is never narrower than 500 pixels
    cat >"$scratch/frame.html" <<END
<body><iframe src="page.html" width="$width" height="900" style="border:0"></iframe><script>
setTimeout(function () {
  document.body.appendChild(document.querySelector('iframe').contentDocument.getElementById('checked').cloneNode(true));
}, 5000);
</script></body>
END
    "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$scratch/profile" \
        --allow-file-access-from-files --window-size=1400,1000 --virtual-time-budget=9000 --dump-dom \
        "file://$scratch/frame.html" 2>/dev/null |
        sed -n '/<pre id="checked">/,/<\/pre>/p' | grep -v pre >"$scratch/$width"
    echo "at $width pixels"
    sed 's/^/  /' "$scratch/$width"
    grep -q '^no errors' "$scratch/$width" && grep -q 'broken 0$' "$scratch/$width" &&
        grep -qE '^filter right: right [0-9]+, wrong 0$' "$scratch/$width" &&
        grep -qE '^filter wrong: right 0, wrong [0-9]+$' "$scratch/$width" &&
        awk '/^width/ { exit $2 > $4 }' "$scratch/$width" || bad=1
done
[ $bad = 0 ] && echo "the report is sound"
exit $bad
