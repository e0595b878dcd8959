package journey

import (
	"math/big"
	"regexp"
	"strings"

	"certsaas/core/coretest/program"
)

// trip is what a person remembers of an order on the way.
type trip struct {
	w      *walk
	order  string // its address
	number string
	form   string // step of the form that holds the letter
	pdf    []byte // the letter as downloaded
	key    string // address of the key page
}

// bydStrides are the steps of the renewal, from the draft to the proved key.
func (w *walk) bydStrides() []stride {
	w.t.Helper()
	v := w.newcomer()
	w.visitor = v
	v.Open(w.URL("", "/s/byd-gqgx")).Follow("已有账户，去登录").Form("password").Set("mobile", bydMobile).Set("password", bydPassword).Press("登录")
	x := &trip{w: w, form: "/fill/realname"}
	typed := map[string]string{
		"eligible": "yes", "org_nature": "company", "org_name": bydCompany, "industry": "auto_sales", "agent_name": "王演示", "email": "dealer@example.com",
		"landline": "010-50947500", "post": "sales", "dealer_code": "1234567890", "carrier": "sto", "ship_name": "王演示", "ship_mobile": bydMobile,
		"ship_province": "广东省", "ship_city": "深圳市", "ship_county": "坪山区", "ship_street": "演示路 1 号", "invoice_wanted": "no",
	}
	return []stride{
		{name: "byd: draft begun", at: "/orders",
			do: func(v *program.Visitor) {
				if v.Open(w.URL("byd", "/s/byd-gqgx")); v.Has("继续填写") { // the scheduler opens one for a certificate that ends
					v.Follow("继续填写")
				} else {
					v.Form("product").Press("立即办理")
				}
				x.begun(v)
			},
			done: func(v *program.Visitor) bool {
				if row := v.Open(w.URL("byd", "/orders")).Page.Find("main table tbody .row-act a").First(); row.Length() > 0 {
					v.Open(row.AttrOr("href", ""))
					x.begun(v)
				}
				return x.order != ""
			}},
		{name: "byd: form saved", at: "/fill/form",
			do: func(v *program.Visitor) {
				v.Open(x.order + "/fill/form").Form("org_name").SetAll(typed).Press("下一步").Sees("实名认证授权书")
			},
			done: func(v *program.Visitor) bool { return kept(v.Open(x.order+"/fill/form").Form("org_name"), typed) }},
		{name: "byd: picture uploaded", at: "/fill/realname",
			do: func(v *program.Visitor) {
				f := v.Open(x.order+x.form).Form("merged").Set("merged", "yes").Set("uscc", bydUSCC)
				f.Attach("licence_image_file", program.File{Name: "licence.jpg", Data: program.Picture(w.t, bydCompany)}).PressValue("_step", "refresh")
				x.must(holds(v, "licence_image"), v)
			},
			done: func(v *program.Visitor) bool { return holds(v.Open(x.order+x.form), "licence_image") }},
		x.letterMade("byd: letter made", "merged"),
		x.letterUploaded("byd: letter uploaded", "merged"),
		{name: "byd: handed in", at: "/fill/realname",
			do: func(v *program.Visitor) {
				v.Open(x.order+x.form).Form("merged").Press("提交信息").Sees("支付宝", "微信")
			},
			done: func(v *program.Visitor) bool {
				return strings.HasSuffix(v.Open(x.order+"/pay").URL.Path, "/pay") && v.Status == 200
			}},
		{name: "byd: payment begun", at: "/pay",
			do: func(v *program.Visitor) {
				v.Open(x.order+"/pay").Form("channel").Set("channel", "alipay").Press("确认付款")
				x.must(v.Has("打开演示支付页"), v)
			},
			done: func(v *program.Visitor) bool { return v.Open(x.order + "/pay").Has("打开演示支付页") }},
		x.paid("byd: paid"),
		x.approved("byd: approved", "请下载证书"),
		{name: "byd: certificate issued", at: "/enroll",
			do:   func(v *program.Visitor) { x.renewKey(v, false) },
			done: func(v *program.Visitor) bool { return x.issued() }},
		{name: "byd: key proved", at: "/confirm",
			do:   func(v *program.Visitor) { x.renewKey(v, true) },
			done: func(v *program.Visitor) bool { return x.finished(v) }},
	}
}

var orderAddress = regexp.MustCompile(`^http://[^/]+/orders/[0-9a-f-]{36}`)

// begun remembers the order whose page is shown.
func (x *trip) begun(v *program.Visitor) {
	x.order = orderAddress.FindString(v.URL.String())
	x.must(x.order != "", v)
}

// must ends a step whose page is not the one that was asked for.
func (x *trip) must(ok bool, v *program.Visitor) {
	if !ok {
		v.T.Fatalf("%s (%d) is not what was expected:\n%s", v.URL, v.Status, v.Text())
	}
}

// kept reports whether a form holds everything that was typed.
func kept(f *program.Form, typed map[string]string) bool {
	for name, value := range typed {
		if f.Values.Get(name) != value {
			return false
		}
	}
	return true
}

// holds reports whether a tile of the page shows a picture, and the picture can be opened.
func holds(v *program.Visitor, field string) bool {
	href, ok := v.Page.Find("[data-field=" + field + "] a.tile-pic").Attr("href")
	if !ok {
		return false
	}
	see := v.As(v.T)
	return see.Open(href).Status == 200 && strings.HasPrefix(see.Header.Get("Content-Type"), "image/") && len(see.Body) > 1000
}

// letterMade downloads the letter; field is any of its form.
func (x *trip) letterMade(name, field string) stride {
	return stride{name: name, at: x.form,
		do: func(v *program.Visitor) {
			v.Open(x.order+x.form).Form(field).PressValue("_step", "letter-pdf")
			x.must(strings.HasPrefix(string(v.Body), "%PDF-"), v)
			x.pdf = v.Body
		},
		done: func(v *program.Visitor) bool { return x.pdf != nil }, // that it still counts shows when its scan is handed in
	}
}

// letterUploaded hands in the scan of the letter that was downloaded: its code must be the one that was printed.
func (x *trip) letterUploaded(name, field string) stride {
	return stride{name: name, at: x.form,
		do: func(v *program.Visitor) {
			v.Open(x.order+x.form).Form(field).Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(x.w.t, x.pdf)}).PressValue("_step", "refresh")
			x.must(holds(v, "letter"), v)
			v.Sees("二维码核对一致")
		},
		done: func(v *program.Visitor) bool { return holds(v.Open(x.order+x.form), "letter") },
	}
}

// paid pays at the demonstration's payment company, in the same process: its message to us, or our poll, may be cut, too.
func (x *trip) paid(name string) stride {
	return stride{name: name, at: "/demo-pay/",
		do: func(v *program.Visitor) {
			if v.Open(x.order + "/pay"); v.Has("打开演示支付页") {
				v.Follow("打开演示支付页").Button("确认付款").Sees("支付成功")
			}
		},
		done: func(v *program.Visitor) bool {
			if v.Open(x.order + "/pay"); v.Has("打开演示支付页") {
				if v.Follow("打开演示支付页"); v.Has("确认付款") {
					return false
				}
			}
			v.Await(x.order, "审核中")
			return true
		},
	}
}

// approved is the reviewer's step.
func (x *trip) approved(name, after string) stride {
	return stride{name: name, at: "/review", who: "reviewer",
		do: func(v *program.Visitor) {
			x.number = x.w.numberOf(x.w.visitor.Await(x.order, "审核中"))
			v.Await(x.w.URL("console", "/queue/review"), x.number).Follow(x.number)
			v.Form("version").Tick("check").PressValue("decision", "approve").Sees("订单 " + x.number + " 审核通过")
		},
		done: func(*program.Visitor) bool { return strings.Contains(x.w.visitor.Open(x.order).Text(), after) },
	}
}

// pass is what the server gives a key page.
type pass struct {
	ticket, nonce, alg string
	proveOld           bool
}

// renewKey does what the key page does, on a page opened anew: up to the certificate, or to the proof and the end.
func (x *trip) renewKey(v *program.Visitor, prove bool) {
	if v.Open(x.order); x.key == "" {
		v.Follow("下载证书")
		x.key = v.URL.String()
	}
	v.Open(x.key)
	status, got := v.Ask(x.key+"/ticket", nil)
	x.must(status == 200, v)
	p := passOf(got)
	a := x.w.NewAgent(v.T, v.URL.Scheme+"://"+v.URL.Host, p.ticket, bydPIN)
	defer a.Close()
	var dev struct {
		SN  string `json:"sn"`
		Old struct {
			Name string `json:"name"`
		} `json:"old"`
	}
	a.Call("select", map[string]any{}, &dev)
	a.Call("login", map[string]any{}, nil)
	var old struct{ Sig, Cert, Container string }
	if p.proveOld {
		a.Call("prove_old", map[string]any{"challenge": p.nonce}, &old)
	}
	csr := x.request(a, p, "")
	status, made := v.Ask(x.key+"/enroll", map[string]any{"ticket": p.ticket, "csr": csr.CSR, "sn": dev.SN, "old_cert": old.Cert, "old_sig": old.Sig})
	x.must(status == 200, v)
	if !prove {
		return
	}
	sig := install(a, csr, made, p)
	status, _ = v.Ask(x.key+"/confirm", map[string]any{"ticket": p.ticket, "sig": sig})
	x.must(status == 200, v)
	if status, clean := v.Ask(x.key+"/cleanup", nil); status == 200 {
		a.SetTicket(clean["ticket"].(string))
		a.Call("cleanup", map[string]any{"old_container": old.Container}, nil)
	}
}

func passOf(got map[string]any) (p pass) {
	p.ticket, _ = got["ticket"].(string)
	p.nonce, _ = got["nonce"].(string)
	p.alg, _ = got["alg"].(string)
	p.proveOld, _ = got["prove_old"].(bool)
	return p
}

// request is a key pair's request as the agent made it.
type request struct {
	CSR       string `json:"csr_pem"`
	Container string `json:"container"`
}

func (x *trip) request(a *program.Agent, p pass, hint string) (r request) {
	a.Call("csr", map[string]any{"alg": p.alg, "subject_hint": hint, "new_container": true}, &r)
	return r
}

// install writes a certificate into the key and gives the new key's proof.
func install(a *program.Agent, csr request, made map[string]any, p pass) string {
	a.Call("install", map[string]any{"container": csr.Container, "sign_cert": made["cert"], "chain": made["chain"]}, nil)
	var proof struct{ Sig string }
	a.Call("prove_new", map[string]any{"challenge": p.nonce}, &proof)
	return proof.Sig
}

// live counts the order's live certificates.
func (x *trip) live() (n int) {
	x.w.t.Helper()
	x.w.Row(x.w.t, []any{&n}, `SELECT count(*) FROM certificates c JOIN orders o ON o.tenant_id = c.tenant_id AND o.id = c.order_id
		WHERE o.number = $1 AND c.state IN ('issued', 'active')`, x.number)
	return n
}

// issued reports whether the order's one certificate is there.
func (x *trip) issued() bool { return x.live() == 1 }

// settled checks the end: one payment, one live certificate, whatever was repeated on the way.
func (x *trip) settled() {
	x.w.t.Helper()
	var payments, refunds int
	x.w.Row(x.w.t, []any{&payments, &refunds}, `SELECT count(*), (SELECT count(*) FROM refunds) FROM payments p
		JOIN orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id WHERE o.number = $1 AND p.state = 'paid'`, x.number)
	equal(x.w.t, x.number+": payments", 1, payments)
	equal(x.w.t, x.number+": refunds", 0, refunds)
	equal(x.w.t, x.number+": live certificates", 1, x.live())
}

// finished reports whether the applicant's key is done: then the certificate in it is the live one, and proves itself.
func (x *trip) finished(v *program.Visitor) bool {
	x.w.t.Helper()
	if !strings.Contains(v.Open(x.order).Text(), "已完成") {
		return false
	}
	x.settled()
	x.w.proveLive(x, bydToken)
	return true
}

// proveLive finds the order's live certificate in a key, and has the key prove it.
func (w *walk) proveLive(x *trip, token string) {
	w.t.Helper()
	var serial []byte
	w.Row(w.t, []any{&serial}, `SELECT c.serial FROM certificates c JOIN orders o ON o.tenant_id = c.tenant_id AND o.id = c.order_id
		WHERE o.number = $1 AND c.state = 'active'`, x.number)
	for id, cert := range w.certificates(token) {
		if cert.SerialNumber.Cmp(new(big.Int).SetBytes(serial)) == 0 {
			w.provesItself(token, id, cert)
			w.chainHolds(cert)
			return
		}
	}
	w.t.Errorf("%s does not hold the live certificate of %s", token, x.number)
}
