package chromium

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// flaws are pages that each have one thing a page must not have, the look that must find it, and words of what it says.
var flaws = []struct{ name, kind, head, body, says string }{
	{"a language that is none of ours", "document", `<html lang="de"><title>订单列表</title>`, `<h1>订单</h1>`, "lang is"},
	{"errors without a mark in the title", "document", `<html lang="zh-CN"><title>登录页</title>`, `<h1>登录</h1><div data-error-summary>有 1 处需要修改</div>`, "errors, and the title"},
	{"pale words", "contrast", ``, `<p style="color:#999;background:#fff">看不清的字</p>`, "contrast 2.8"},
	{"pale words on a transparent layer", "contrast", ``, `<div style="background:#000"><p style="background:rgb(255 255 255/.5);color:#aaa">看不清的字</p></div>`, "contrast"},
	{"faint words", "contrast", ``, `<div style="opacity:.4"><p style="color:#333">看不清的字</p></div>`, "contrast"},
	{"a wide table", "reflow", ``, `<table><tr><td style="min-width:900px">宽</td></tr></table>`, "px wide"},
	{"words cut off", "reflow", ``, `<p style="width:40px;overflow:hidden;white-space:nowrap">被截断的一段文字</p>`, "cut off"},
	{"a bar over what has the focus", "covered", ``, `<div style="position:fixed;inset:0;z-index:9;background:#fff"></div><button style="position:fixed;bottom:0">提交</button>`, "covered"},
	{"small targets side by side", "targets", ``, `<div><button style="width:12px;height:12px;padding:0">a</button><button style="width:12px;height:12px;padding:0">b</button></div>`, "target of 12"},
	{"a main button for a mouse only", "thumbs", ``, `<button class="btn btn-primary" style="height:30px">提交审核</button>`, "30 px high"},
	{"a number field without a number's keyboard", "fields", ``, `<input type="tel" name="mobile">`, "inputmode"},
	{"a code that no phone fills in", "fields", ``, `<input name="code" inputmode="numeric">`, "autocomplete"},
}

// TestLooksFindsFlaws: each look finds what it is for, and finds nothing in a page without it.
func TestLooksFindsFlaws(t *testing.T) {
	t.Parallel()
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	sound := `<html lang="zh-CN"><title>错误：登录</title><main><h1>登录</h1><div data-error-summary tabindex="-1">有 1 处需要修改</div>
		<p style="color:#333">看得清的字</p><div style="overflow-x:auto" tabindex="0"><p style="width:900px">自己滚动的表</p></div>
		<form><label>手机号 <input type="tel" name="mobile" inputmode="tel" autocomplete="tel" style="height:44px"></label><button class="btn btn-primary" style="height:44px">登录</button></form></main>`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page := sound
		for _, f := range flaws {
			if r.URL.Query().Get("flaw") == f.name {
				page = `<!doctype html>` + f.head + `<meta name="viewport" content="width=device-width">` + f.body
			}
		}
		fmt.Fprint(w, page)
	}))
	defer srv.Close()
	tab := b.Person(t, Phone)
	for _, f := range flaws {
		tab.Open(srv.URL + "?flaw=" + strings.ReplaceAll(f.name, " ", "+"))
		tab.view(reflow, 1)
		if said := tab.found(f.kind); !strings.Contains(said, f.says) {
			t.Errorf("%s: %q", f.name, said)
		}
	}
	tab.Open(srv.URL)
	if said := tab.found("document", "contrast", "fields", "reflow", "covered", "targets", "thumbs"); said != "" {
		t.Errorf("a sound page: %s", said)
	}
	if file := os.Getenv("CERTSAAS_AXE"); file != "" {
		if said := tab.axe(file); said != "" {
			t.Errorf("axe, of a sound page: %s", said)
		}
		tab.Open(srv.URL + "?flaw=a+code+that+no+phone+fills+in")
		if said := tab.axe(file); !strings.Contains(said, "document-title") {
			t.Errorf("axe, of a page without a title: %q", said)
		}
	}
}
