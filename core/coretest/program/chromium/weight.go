package chromium

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Weighs opens an address with nothing kept from before, and gives the bytes of everything that came (headers included, as
// compressed on the way) and what each part weighs.
func (tab *Tab) Weighs(address string) (total int64, parts []string) {
	tab.t.Helper()
	var mu sync.Mutex
	names := map[network.RequestID]string{}
	ctx, cancel := context.WithCancel(tab.ctx)
	defer cancel()
	err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			names[ev.RequestID] = ev.Request.URL
		case *network.EventLoadingFinished:
			total += int64(ev.EncodedDataLength)
			parts = append(parts, fmt.Sprintf("%6.0f %s", ev.EncodedDataLength, strings.TrimPrefix(names[ev.RequestID], address)))
		}
	})
	if err == nil {
		err = chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			if _, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, t, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
			return err
		}))
	}
	if err != nil {
		tab.t.Fatal(err)
	}
	tab.Open(address).Await("everything is there", `document.readyState === "complete"`)
	mu.Lock()
	defer mu.Unlock()
	return total, append([]string{}, parts...)
}
