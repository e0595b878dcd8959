// Package chromium drives a headless Chromium for tests that go through the program's pages as a person does: real mouse
// clicks on what is visible and not covered, typed text, chosen files, downloads, second tabs.
//
// In: the address of a running program. Out: a Browser with any number of persons, each with cookies of his own, whose
// Tabs wait until what they are told to use is there. A script's error or a breach of the content security policy fails
// the test, and so does what Tab.Shot finds in a page it looks at (Tab.Looks). With CERTSAAS_SCREENS set to a folder, Tab.Shot
// leaves pictures there; with CERTSAAS_AXE set to a file axe.min.js (axe-core, which is no part of this repository), it fails
// for whatever axe finds.
package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Browser is one Chromium process.
type Browser struct {
	ctx  context.Context
	stop func()
	dir  string
}

// names of the program, as distributions call it.
var names = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}

// Open starts a browser. The caller closes it.
//
// Chrome asks a person before a page may reach programs on his own computer (Local Network Access). Pages of *.localhost
// are themselves served from this computer, so it does not ask here, and no switch turns the question off.
func Open() (*Browser, error) {
	var path string
	for _, n := range names {
		if p, err := exec.LookPath(n); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, errors.New("chromium: not installed; on Debian: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "certsaas-chromium")
	if err != nil {
		return nil, fmt.Errorf("chromium: %w", err)
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "zh-CN"), chromedp.Flag("accept-lang", "zh-CN,zh"),
		chromedp.Env("LANGUAGE=zh_CN"))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {})) // closed tabs' late events are no news
	b := &Browser{ctx: ctx, dir: dir, stop: func() { cancel(); stopAlloc() }}
	if err := chromedp.Do(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("chromium: %w", err), b.Close())
	}
	return b, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() error {
	b.stop()
	return os.RemoveAll(b.dir)
}

// Size of a window, in pixels.
type Size struct{ Width, Height int64 }

// The windows of the tests.
var (
	Desktop = Size{1280, 900}
	Phone   = Size{390, 844}
)

// Person is somebody with a browser profile of his own.
type Person struct {
	t         testing.TB
	browser   *Browser
	downloads string
}

// Person makes a profile without cookies and opens its first tab.
func (b *Browser) Person(t testing.TB, size Size) *Tab {
	t.Helper()
	dir, err := os.MkdirTemp(b.dir, "downloads")
	if err != nil {
		t.Fatal(err)
	}
	p := &Person{t: t, browser: b, downloads: dir}
	tab := p.open(b.ctx, size, chromedp.WithNewBrowserContext())
	c := chromedp.FromContext(tab.ctx)
	_, err = cdp.Call(tab.ctx, c.Browser, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: c.BrowserContextID, DownloadPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// Tab is one page of a person.
type Tab struct {
	t      testing.TB
	person *Person
	ctx    context.Context
	cancel context.CancelFunc
	size   Size

	pressed press // the last one

	mu      sync.Mutex
	trouble []string // script errors and policy breaches
}

// NewTab opens a further tab of the same person.
func (tab *Tab) NewTab(size Size) *Tab {
	tab.t.Helper()
	return tab.person.open(tab.ctx, size)
}

func (p *Person) open(parent context.Context, size Size, opts ...chromedp.ContextOption) *Tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(parent, opts...)
	return p.adopt(ctx, cancel, size)
}

// adopt makes a tab ready: its window, and ears for what goes wrong in it.
func (p *Person) adopt(ctx context.Context, cancel context.CancelFunc, size Size) *Tab {
	p.t.Helper()
	tab := &Tab{t: p.t, person: p, ctx: ctx, cancel: cancel, size: size}
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		p.t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdplog.Enable, cdp.Empty{})
		return err
	})); err != nil {
		p.t.Fatal(err)
	}
	tab.Resize(size)
	p.t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		if len(tab.trouble) > 0 {
			p.t.Errorf("the browser complained:\n%s", strings.Join(tab.trouble, "\n"))
		}
		cancel()
	})
	return tab
}

// hear notes script errors and what the policy refused. Answers of 4xx are pages of ours and show themselves.
func (tab *Tab) hear(ev any) {
	var said string
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		said = "script: " + ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			said += " " + e.Description
		}
	case *cdplog.EventEntryAdded:
		if ev.Entry.Source == cdplog.EntrySourceSecurity || strings.Contains(ev.Entry.Text, "Content Security Policy") {
			said = ev.Entry.Text + " " + ev.Entry.URL
		}
	}
	if said == "" {
		return
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.trouble = append(tab.trouble, said)
}

// As lets another test go on in this tab.
func (tab *Tab) As(t testing.TB) *Tab {
	tab.t = t
	return tab
}

// Resize changes the window; a narrow one is a phone's, with touch.
func (tab *Tab) Resize(size Size) {
	tab.t.Helper()
	var opts []chromedp.EmulateViewportOption
	if size.Width < 600 {
		opts = append(opts, chromedp.EmulateMobile)
	}
	if err := chromedp.Do(tab.ctx, chromedp.EmulateViewport(size.Width, size.Height, opts...)); err != nil {
		tab.t.Fatal(err)
	}
	tab.size = size
}

// Open goes to an address and waits until it is loaded.
func (tab *Tab) Open(address string) *Tab {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		tab.t.Fatalf("open %s: %v", address, err)
	}
	return tab
}

// Reload loads the page again.
func (tab *Tab) Reload() *Tab {
	tab.t.Helper()
	return tab.Open(tab.Eval(`location.href`))
}

// Close closes the tab.
func (tab *Tab) Close() { tab.cancel() }

// Popup presses something that opens a tab of its own, and gives that tab.
func (tab *Tab) Popup(press func()) *Tab {
	tab.t.Helper()
	ids := chromedp.WaitNewTarget(tab.ctx, func(i *target.Info) bool { return i.Type == "page" && i.URL != "" && i.URL != "about:blank" })
	press()
	select {
	case id := <-ids:
		ctx, cancel := chromedp.NewContext(tab.ctx, chromedp.WithTargetID(id))
		return tab.person.adopt(ctx, cancel, tab.size)
	case <-time.After(patience):
		tab.fail("no new tab opened")
		return nil
	}
}

// Download presses something that saves a file, and gives the file's path.
func (tab *Tab) Download(press func()) string {
	tab.t.Helper()
	before := map[string]bool{}
	for _, n := range list(tab.person.downloads) {
		before[n] = true
	}
	press()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, n := range list(tab.person.downloads) {
			if !before[n] && !strings.HasSuffix(n, ".crdownload") && !strings.HasPrefix(n, ".") {
				return filepath.Join(tab.person.downloads, n)
			}
		}
	}
	tab.fail("nothing was downloaded")
	return ""
}

func list(dir string) []string {
	entries, _ := os.ReadDir(dir)
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out
}

// Shot looks at the page as it stands (Looks). It also saves pictures at the widths of a desk and of a phone, and of a
// console's page in the dark, when CERTSAAS_SCREENS names a folder, and has axe look at it at three widths and in the dark, when
// CERTSAAS_AXE names its file.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	tab.Looks(name)
	if dir := os.Getenv("CERTSAAS_SCREENS"); dir != "" {
		tab.each([]Size{Desktop, Phone}, func(suffix string) { tab.snap(dir, name+suffix) })
	}
	if axe := os.Getenv("CERTSAAS_AXE"); axe != "" {
		tab.each(audited, func(suffix string) { tab.audit(name+suffix, axe) })
	}
}

// each does something in windows of several sizes, and in the dark where the page is a console's; suffix says which.
func (tab *Tab) each(sizes []Size, do func(suffix string)) {
	tab.t.Helper()
	was := tab.size
	for _, size := range sizes {
		tab.Resize(size)
		tab.Eval(`(scrollTo(0, 0), "")`) // what sticks to the window stands where it begins
		do(fmt.Sprintf("-%d", size.Width))
	}
	tab.Resize(was)
	if tab.Is(`document.body.classList.contains("console")`) {
		tab.dark(true)
		do("-dark")
		tab.dark(false)
	}
}

// snap saves one picture.
func (tab *Tab) snap(dir, name string) {
	tab.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tab.t.Fatal(err)
	}
	tab.picture(filepath.Join(dir, name+".png"))
}

// picture saves the whole page, top to bottom.
func (tab *Tab) picture(file string) {
	tab.t.Helper()
	beyond := true
	shot, err := chromedp.Run(tab.ctx, chromedp.Action[[]byte](func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	}))
	if err == nil {
		err = os.WriteFile(file, shot, 0o644)
	}
	if err != nil {
		tab.t.Errorf("picture %s: %v", file, err)
	}
}

// Scan photographs the first visible thing a selector matches, as a phone that scans a code would.
func (tab *Tab) Scan(selector string) image.Image {
	tab.t.Helper()
	type box struct{ X, Y, W, H float64 }
	b := eventually(tab, `(() => { const e = Array.from(document.querySelectorAll(`+js(selector)+`)).find(seen); if (!e) return {W: 0};
		const r = e.getBoundingClientRect(); return {X: r.left + scrollX, Y: r.top + scrollY, W: r.width, H: r.height}; })()`, func(b box) bool { return b.W > 0 })
	beyond := true
	img, err := chromedp.Run(tab.ctx, chromedp.Action[image.Image](func(ctx context.Context, t *chromedp.Target) (image.Image, error) {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond,
			Clip: &page.Viewport{X: b.X, Y: b.Y, Width: b.W, Height: b.H, Scale: 3}})
		if err != nil {
			return nil, err
		}
		return png.Decode(bytes.NewReader(r.Data))
	}))
	if err != nil {
		tab.t.Fatalf("scan %s: %v", selector, err)
	}
	return img
}
