package journey

import (
	"strings"
	"time"

	"certsaas/core/coretest/program"
)

const crashMobile = "13800138063"

// kingLongStrides are the steps of the first purchase, from a visitor's draft to the shipped key and its invoice.
func (w *walk) kingLongStrides() []stride {
	w.t.Helper()
	w.visitor = w.newcomer()
	x := &trip{w: w, form: "/fill/form"}
	const company = "演示零部件（厦门）有限公司"
	typed := map[string]string{
		"eligible": "yes", "agent_name": "孙演示", "mobile": crashMobile, "email": "plain@example.com", "id_type": "resident_id", "id_no": klID,
		"org_name": company, "org_type": "company", "org_code_any": "91350100M000100Y43", "industry": "auto_parts",
		"carrier": "sf", "ship_name": "孙演示", "ship_mobile": crashMobile, "ship_province": "福建省", "ship_city": "厦门市", "ship_county": "集美区",
		"ship_street": "演示路 4 号", "invoice_title": company, "invoice_tax_no": "91350100M000100Y43", "invoice_email": "plain@example.com",
	}
	pictures := []string{"id_front", "id_back", "licence_image"}
	c := &codes{trip: x}
	return []stride{
		{name: "kinglong: draft begun", at: "/orders",
			do: func(v *program.Visitor) {
				v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
				x.begun(v)
			},
			done: func(v *program.Visitor) bool {
				if v.Open(w.URL("", "/createOrder?productCode=CERT272353")); v.Has("继续填写") {
					v.Follow("继续填写")
					x.begun(v)
				}
				return x.order != ""
			}},
		{name: "kinglong: form and pictures", at: "/fill/form",
			do: func(v *program.Visitor) {
				f := v.Open(x.order + x.form).Form("org_name").SetAll(typed)
				for _, side := range pictures {
					f.Attach(side+"_file", program.File{Name: side + ".jpg", Data: program.Picture(w.t, "演示 "+side+" 孙演示")})
				}
				f.PressValue("_step", "refresh")
				x.must(kept(v.Form("org_name"), typed), v)
			},
			done: func(v *program.Visitor) bool {
				all := kept(v.Open(x.order+x.form).Form("org_name"), typed)
				for _, side := range pictures {
					all = all && holds(v, side)
				}
				return all
			}},
		x.letterMade("kinglong: letter made", "org_name"),
		x.letterUploaded("kinglong: letter uploaded", "org_name"),
		{name: "kinglong: code asked", at: "/confirm", rare: true, do: c.ask, done: func(*program.Visitor) bool { return c.came() }},
		{name: "kinglong: handed in", at: "/confirm", rare: true, do: c.enter, done: c.entered},
		{name: "kinglong: payment begun", at: "/pay",
			do: func(v *program.Visitor) {
				v.Open(x.order + "/pay").Button("立即支付")
				x.must(v.Has("打开演示支付页"), v)
			},
			done: func(v *program.Visitor) bool { return v.Open(x.order + "/pay").Has("打开演示支付页") }},
		x.paid("kinglong: paid"),
		x.approved("kinglong: approved", "正在制作"),
		{name: "kinglong: certificate issued", at: "/enroll", who: "producer",
			do:   func(v *program.Visitor) { x.writeKey(v, false) },
			done: func(*program.Visitor) bool { return x.issued() }},
		{name: "kinglong: key written", at: "/confirm", who: "producer",
			do:   func(v *program.Visitor) { x.writeKey(v, true) },
			done: func(*program.Visitor) bool { return strings.Contains(w.visitor.Open(x.order).Text(), "待发货") }},
		{name: "kinglong: shipped", at: "/shipping", who: "producer",
			do: func(v *program.Visitor) {
				v.Await(w.URL("console", "/queue/shipping"), x.number).Follow(x.number)
				v.Form("waybill").Set("carrier", "sf").Set("waybill", "SF1234567890124").Press("确认发出").Sees("已发出")
			},
			done: func(*program.Visitor) bool { return x.delivered() }},
		{name: "kinglong: invoiced", at: "/invoices", who: "finance",
			do: func(v *program.Visitor) {
				v.Await(w.URL("console", "/invoices"), x.number).Follow(x.number)
				f := v.Form("issued_on").Set("number", "26117000000123456780").Set("issued_on", time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly))
				f.Attach("file", program.File{Name: "invoice.pdf", Data: invoicePDF}).Press("上传发票").Sees("的发票已上传")
			},
			done: func(*program.Visitor) bool { return w.visitor.Open(x.order).Has("下载发票") }},
	}
}

// codes is the confirmation of an order by SMS.
type codes struct {
	*trip
	asked time.Time
	code  string
}

// confirmation opens the page that asks for the code, over the one that repeats the data.
func (c *codes) confirmation(v *program.Visitor) {
	if strings.Contains(v.Open(c.order+c.form).URL.Path, "/fill/") {
		v.Form("org_name").Press("提交信息").Sees("确认信息")
		v.Form("agree").Set("agree", "yes").Press("确定").Sees("短信验证")
	}
}

// ask has a code sent. When one was sent that nobody received, the next may be asked for a minute later.
func (c *codes) ask(v *program.Visitor) {
	c.confirmation(v)
	for end := time.Now().Add(70 * time.Second); ; time.Sleep(2 * time.Second) {
		c.asked = now()
		if v.Form("code").PressValue("_step", "send"); strings.Contains(v.Text(), "验证码已发送") || time.Now().After(end) {
			break
		}
	}
	v.Sees("验证码已发送")
	c.code = c.w.Code(c.w.t, crashMobile, c.asked)
}

// came reports whether the code is on the phone.
func (c *codes) came() bool {
	all, err := c.w.Messages()
	if err != nil {
		c.w.t.Fatal(err)
	}
	for _, m := range all {
		if m.To == crashMobile && !m.At.Before(c.asked) && m.Params["code"] != "" {
			c.code = m.Params["code"]
			return true
		}
	}
	return false
}

// enter types the code, and asks for another one when it does not count any more.
func (c *codes) enter(v *program.Visitor) {
	c.confirmation(v)
	v.Form("code").Set("code", c.code).Press("提交订单")
	if v.Status == 422 {
		c.ask(v)
		v.Form("code").Set("code", c.code).Press("提交订单")
	}
	v.Sees("支付宝")
}

// entered reports whether the order was handed in. Somebody whose browser never heard that it was logged in logs in by code.
func (c *codes) entered(v *program.Visitor) bool {
	if v.Open(c.order + "/pay"); v.Status == 200 && strings.HasSuffix(v.URL.Path, "/pay") {
		return true
	}
	if v.Status == 200 {
		return false
	}
	v.Open(c.w.URL("kinglong", "/orders"))
	for end := time.Now().Add(70 * time.Second); ; time.Sleep(2 * time.Second) {
		asked := now()
		if v.Form("mobile").Set("mobile", crashMobile).PressValue("_step", "send"); strings.Contains(v.Text(), "验证码已发送") {
			v.Form("code").Set("mobile", crashMobile).Set("code", c.w.Code(c.w.t, crashMobile, asked)).Press("登录")
			break
		}
		if time.Now().After(end) {
			v.Sees("验证码已发送")
		}
	}
	return v.Open(c.order+"/pay").Status == 200
}

// writeKey does what the producer's desk does, on a page opened anew: up to the certificate, or to the proof.
func (x *trip) writeKey(v *program.Visitor, prove bool) {
	v.Await(x.w.URL("console", "/queue/production"), x.number).Follow(x.number)
	base, ok := v.Page.Find("[data-producer]").Attr("data-producer")
	x.must(ok, v)
	status, got := v.Ask(base+"/authorise", nil)
	x.must(status == 200, v)
	p := passOf(got)
	hint, _ := got["hint"].(string)
	a := x.w.NewAgent(v.T, v.URL.Scheme+"://"+v.URL.Host, p.ticket, bydPIN)
	defer a.Close()
	var devices []struct{ SN, Label string }
	a.Call("enumerate", map[string]any{}, &devices)
	chosen := ""
	for _, d := range devices {
		if d.Label == klToken {
			chosen = d.SN
		}
	}
	a.Call("select", map[string]any{"sn": chosen}, nil)
	a.Call("login", map[string]any{}, nil)
	csr := x.request(a, p, hint)
	status, made := v.Ask(base+"/enroll", map[string]any{"Ticket": p.ticket, "CSR": csr.CSR, "SN": chosen})
	x.must(status == 200, v)
	if !prove {
		return
	}
	status, _ = v.Ask(base+"/confirm", map[string]any{"Ticket": p.ticket, "Proof": install(a, csr, made, p)})
	x.must(status == 200, v)
}

// delivered reports whether the order is shipped; then it has one payment, one live certificate, and that is in the key.
func (x *trip) delivered() bool {
	x.w.t.Helper()
	if !strings.Contains(x.w.visitor.Open(x.order).Text(), "SF1234567890124") {
		return false
	}
	x.settled()
	x.w.proveLive(x, klToken)
	return true
}
