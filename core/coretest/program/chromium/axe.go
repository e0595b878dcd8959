package chromium

import (
	"context"
	"os"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// findings asks axe for what keeps people out of the page: one line a rule, with the first elements that break it.
const findings = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes.length + "×",
	v.nodes.slice(0, 4).map((n) => n.target.join(" ")).join(", ")].join(" ")).join("\n"))`

// audit runs the axe of a file in the page as it stands, and fails for what it finds.
func (tab *Tab) audit(name, file string) {
	tab.t.Helper()
	axe, err := os.ReadFile(file)
	if err != nil {
		tab.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	yes := true
	found, err := chromedp.Run(ctx, chromedp.Action[string](func(ctx context.Context, t *chromedp.Target) (string, error) {
		a, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: string(axe) + ";" + findings, AwaitPromise: &yes, ReturnByValue: &yes})
		switch {
		case err != nil:
			return "", err
		case a.ExceptionDetails != nil:
			return a.ExceptionDetails.Text, nil
		}
		return string(a.Result.Value), nil // JSON of a string
	}))
	if err != nil || found != `""` {
		tab.t.Errorf("axe, %s at %d px, %s: %s %v", name, tab.size.Width, tab.Path(), found, err)
	}
}
