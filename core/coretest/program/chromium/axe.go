package chromium

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// findings asks axe for what keeps people out of the page: one line a rule, with the first elements that break it.
const findings = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.length + "×",
	v.nodes.slice(0, 4).map((n) => n.target.join(" ")).join(", ")].join(" ")).join("\n"))`

// audited are the windows that axe looks at: a phone's at 320 px, a tablet's, a desk's.
var audited = []Size{{320, 640}, {768, 1024}, {1280, 900}}

// audit has axe look at the page as it stands, and fails for what it finds.
func (tab *Tab) audit(name, file string) {
	tab.t.Helper()
	if found := tab.axe(file); found != "" {
		tab.t.Errorf("axe, %s, %s:\n%s", name, tab.Path(), found)
		return
	}
	tab.t.Logf("axe, %s: nothing", name)
}

// axe runs the axe of a file in the page and gives what it finds, one line a rule.
func (tab *Tab) axe(file string) string {
	tab.t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		tab.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	yes := true
	found, err := chromedp.Run(ctx, chromedp.Action[string](func(ctx context.Context, t *chromedp.Target) (found string, err error) {
		a, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: string(script) + ";" + findings, AwaitPromise: &yes, ReturnByValue: &yes})
		switch {
		case err != nil:
			return "", err
		case a.ExceptionDetails != nil:
			return a.ExceptionDetails.Text, nil
		}
		return found, json.Unmarshal(a.Result.Value, &found)
	}))
	if err != nil {
		tab.t.Fatalf("axe: %v", err)
	}
	return found
}
