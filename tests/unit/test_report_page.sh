#!/usr/bin/env bash
# A page in a real browser: results that the program writes become a page that draws every figure, sorts its tables,
# zooms, scrubs and reads the map, at the width of a telephone and in the dark, and asks the network for nothing. The
# checks are a script at the end of a copy of the page, in a frame; what it finds becomes the title of what is around.
#
# usage: test_report_page.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() {
    printf '%s\n' "$*"
    exit 1
}
ringcast() { "$build/ringcast" "$@"; }

# ---- the page
for v in pass-kv pass-q; do
    ringcast forward scenarios/paper/cp4-partial-6400.yaml --quiet --draws 0 --set model=llama-3.1-8b \
        --set "parallel.variant=$v" --trace "$work/$v.json.gz" >/dev/null
done
ringcast forward scenarios/paper/cp4-128k.yaml --draws 20 --json >"$work/forward.json" 2>/dev/null
ringcast choose --T 4000 --P 120000 --machine gtt --model llama-3.1-405b --cp 4 --json >"$work/choose.json" 2>/dev/null
ringcast serve scenarios/serve/mooncake.yaml --set arrivals.requests=300 --json --quiet >"$work/serve.json" 2>/dev/null
sed '/^requests:/,$d' scenarios/tune/gtt.yaml >"$work/tune.yaml"
ringcast tune "$work/tune.yaml" --set new.points=6 --set total.points=6 --set bootstrap=2 --out "$work/tuned" --no-plots \
    --quiet >/dev/null 2>&1
page=$work/page.html
ringcast report "$work"/pass-{kv,q}.json.gz "$work/forward.json" "$work/choose.json" "$work/serve.json" "$work/tuned" \
    results/paper/summary.json results/validation/summary.json --out "$page" >"$work/said"
grep -qx '# wrote .*/page.html' "$work/said" || die "$(cat "$work/said")"
ringcast report "$work/forward.json" --out "$page" >/dev/null 2>&1 && die "a page is written over"
ringcast report "$work"/pass-{kv,q}.json.gz "$work/forward.json" "$work/choose.json" "$work/serve.json" "$work/tuned" \
    results/paper/summary.json results/validation/summary.json --out "$work/again.html" --quiet
cmp "$page" "$work/again.html" || die "two pages of the same results differ"
# Nothing is fetched: no address but the name of SVG, and a policy that forbids the rest.
if grep -oE 'https?://[^"]*' "$page" | grep -v '^http://www.w3.org/2000/svg$'; then die "the page names an address"; fi
if grep -nE '<link|@import|[^-]src=|fetch\(|XMLHttp' "$page"; then die "the page loads something"; fi
grep -q "default-src 'none'" "$page" || die "no policy"

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    echo "SKIPPED: no Chromium: figures, tables and widths are not looked at"
    exit 77
fi

# ---- in the browser
checks='
const bad = [], width = document.documentElement.clientWidth;
const check = (what, holds) => { if (!holds) bad.push(what); };
const all = (what) => [...document.querySelectorAll(what)];
check("an error: " + (window.firstError || ""), !window.firstError);
check("figures", all("[data-figure]").length >= 6);
for (const f of all("[data-figure]")) check("no drawing of " + f.dataset.figure, f.querySelector("svg"));
check("wider than the screen: " + document.documentElement.scrollWidth + " of " + width, document.documentElement.scrollWidth <= width);
for (const t of all("table").slice(0, 8)) {
    const i = [...t.tHead.rows[0].cells].findIndex((h) => h.className === "n");
    if (i < 0) continue;
    const button = t.tHead.rows[0].cells[i].querySelector("button");
    const values = () => [...t.tBodies[0].rows].map((r) => r.cells[i].dataset.v).filter((v) => v !== undefined).map(Number);
    button.click();
    check("does not sort up", values().every((v, k, a) => k === 0 || a[k - 1] <= v));
    button.click();
    check("does not sort down", values().every((v, k, a) => k === 0 || a[k - 1] >= v));
}
const ring = document.querySelector("[data-figure=ring]"), slider = ring.querySelector("input");
check("two rings", ring.querySelectorAll(".dial").length === 2);
const before = ring.querySelector(".read").textContent;
slider.value = 900;
slider.dispatchEvent(new Event("input"));
check("the handle does nothing", ring.querySelector(".read").textContent !== before);
check("nothing exposed", ring.querySelectorAll(".op.lone").length > 0);
const plot = document.querySelector("[data-figure=plot]"), was = plot.querySelector("svg").innerHTML;
plot.querySelector(".tools button").click();
check("does not zoom", plot.querySelector("svg").innerHTML !== was);
const map = document.querySelector("[data-figure=map]"), fields = map.querySelectorAll("input");
fields[0].value = 64000;
fields[1].value = 0;
fields[0].dispatchEvent(new Event("input"));
check("the map says " + map.querySelector(".read").textContent, /^64,000 new after 0 cached, 4 ranks: pass-KV/.test(map.querySelector(".read").textContent));
const r = map.querySelector("svg").getBoundingClientRect();
map.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", { clientX: r.right - 40, clientY: r.bottom - 120, bubbles: true }));
check("the pointer does nothing", Number(fields[0].value) !== 64000);
const paper = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
parent.postMessage(JSON.stringify({ bad, width, dark: paper[0] < 100 }), "*");
'
sed 's|<head>|<head><script>window.addEventListener("error", (e) => { window.firstError = e.message; });</script>|' "$page" >"$work/checked.html"
printf '<script>{%s}</script>\n' "$checks" >>"$work/checked.html"
# A window has a least width, a frame has none.
for width in 1200 360; do
    printf '<!doctype html><title>nothing</title><script>addEventListener("message", (e) => { document.title = "found " + e.data; });</script>
<iframe src="checked.html" style="border: 0; width: %dpx; height: 900px"></iframe>\n' $width >"$work/frame-$width.html"
done
look() { # WIDTH FLAGS...: what the script found
    local width=$1
    shift
    "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$work/profile" \
        --window-size=1300,1000 --virtual-time-budget=3000 "$@" --dump-dom "file://$work/frame-$width.html" 2>/dev/null |
        grep -oE '<title>found [^<]*' | sed 's/<title>found //; s/&quot;/"/g'
}
wide=$(look 1200) || die "the checks did not end"
[ "$wide" = '{"bad":[],"width":1200,"dark":false}' ] || die "wide: $wide"
narrow=$(look 360 --blink-settings=preferredColorScheme=0) || die "the checks did not end"
[ "$narrow" = '{"bad":[],"width":360,"dark":true}' ] || die "narrow and dark: $narrow"
echo "8 results, one page: $(wc -c <"$page") bytes, looked at wide, narrow and dark"
