package ui

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/a-h/templ"
)

// with renders parent around children.
func with(parent templ.Component, children ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return parent.Render(templ.WithChildren(ctx, templ.Join(children...)), w)
	})
}

var journey = []string{"填写信息", "实名认证", "确认", "支付", "审核", "下载证书"}

func storyPrice() PriceProps {
	return PriceProps{
		Title: "USBKEY 证书 · 过期更新", Facts: []Pair{{"年限", "1 年"}, {"数量", "1 个"}},
		Lines: []PriceLine{{Label: "证书服务费", Why: "1 年 × 1 个", Fen: 20000}, {Label: "申通快递", Why: "由天威诚信承担", Words: "¥0.00"}},
		Total: 20000, Saved: "已保存 14:32", Action: Button(ButtonProps{Label: "下一步", Kind: Primary, Form: "order", Large: true}),
	}
}

func storyEntry() templ.Component {
	return with(Portal(PortalProps{
		Title: "USBKEY 过期更新", Kicker: "代理商证书服务", Art: true, Steps: Steps(-1, journey...),
		Action: templ.Join(Button(ButtonProps{Label: "开始更新", Kind: Primary, Large: true, Href: "/orders/new"}), Button(ButtonProps{Label: "阅读办理指南", Kind: Quiet, Href: "/guide"})),
		Lead:   "USBKEY 有效期一年，到期后在线更新即可继续使用原来的 USBKEY，无需邮寄。全程约 15 分钟，审核 3 个工作日内完成。",
	}),
		with(Card("办理前请准备"), List([]Datum{
			{Label: "营业执照", Value: "清晰彩色照片，四角完整"}, {Label: "公章", Value: "用于授权书盖章"},
			{Label: "USBKEY", Value: "当前使用的 USBKEY 与口令，在电脑上插入"}, {Label: "费用", Value: "¥200.00 / 年，支持支付宝、微信、银行汇款"},
		})),
		Notice(NoticeProps{Tone: Info, Text: "下载证书需在 Windows 电脑上完成；前面的步骤可以用手机办理。"}),
	)
}

func storyForm() templ.Component {
	return with(Portal(PortalProps{Title: "填写申请信息", Kicker: "USBKEY 过期更新", Steps: Steps(0, journey...), Back: Link{"返回", "/"}, Aside: PriceSummary(storyPrice()), Scripts: []string{"upload.js"}}),
		RequiredLegend(),
		with(Form(FormProps{ID: "order", Price: "/price", Files: true, Facts: "{}"}),
			with(Section(1, "企业信息", "与营业执照保持一致。", "", false),
				Field(FieldProps{Name: "org_name", Label: "企业名称", Required: true, Help: "营业执照上的全称，不要简写。", Autocomplete: "organization"}),
				Field(FieldProps{Kind: SelectField, Name: "org_nature", Label: "企业性质", Required: true, Value: "company", Options: []Option{{Value: "company", Label: "企业"}, {Value: "person", Label: "个人"}}}),
				Field(FieldProps{Kind: RadioField, Name: "merged", Label: "是否已三证合一", Required: true, Options: []Option{{Value: "yes", Label: "是"}, {Value: "no", Label: "否"}}}),
				Field(FieldProps{Name: "uscc", Label: "统一社会信用代码", Required: true, Value: "91110000MA00000000", MaxLength: 18, Width: "m", When: `{"field":"merged","is":"yes"}`, Warning: "校验位与常见规则不符，请核对营业执照。"}),
				Upload(UploadProps{Name: "licence", Label: "营业执照", Required: true, Limit: "JPG、JPEG 或 PNG，不超过 2 MB", Sample: "/story/doc1.svg", Wants: []string{"四角完整，文字清晰", "彩色照片或扫描件"}, URL: "/upload", Phone: "/phone"}),
				Upload(UploadProps{Name: "letter", Label: "授权书", Required: true, Preview: "/story/doc2.svg", FileName: "授权书.jpg · 1.2 MB", URL: "/upload", Checks: []CheckItem{{Good, "已识别授权书编号"}, {Good, "检测到红色公章"}, {Warn, "右下角较暗，若看不清请重拍"}}}),
				Upload(UploadProps{Name: "id_card", Label: "经办人身份证", URL: "/upload", PhoneURL: "http://byd.localhost/u/abc", Poll: "/poll", Limit: "JPG、JPEG 或 PNG，不超过 2 MB"}),
			),
			with(Section(2, "代理人信息", "", "", false),
				Field(FieldProps{Name: "agent_name", Label: "姓名", Required: true, Value: "演示申请人", Autocomplete: "name", Width: "m"}),
				Field(FieldProps{Kind: TelField, Name: "mobile", Label: "手机号", ReadOnly: true, Value: "138****8000", Locked: "与注册手机号一致，不可修改", Width: "m"}),
				Field(FieldProps{Kind: EmailField, Name: "email", Label: "电子邮件", Autocomplete: "email", Placeholder: "name@example.com", Width: "l"}),
				Field(FieldProps{Name: "dealer_code", Label: "代理商编码", Required: true, Value: "A123456789", Note: "已取前十位代理商编码。", Width: "m"}),
			),
			with(Section(3, "配送与数量", "", "", false),
				Field(FieldProps{Kind: RadioField, Cards: true, Name: "carrier", Label: "快递", Required: true, Value: "sto", Options: []Option{{Value: "sto", Label: "申通快递", Help: "费用由天威诚信承担", Extra: "¥0.00"}, {Value: "sf", Label: "顺丰快递", Help: "运费由您承担，签收时支付", Extra: "到付"}}}),
				Field(FieldProps{Kind: QuantityField, Name: "quantity", Label: "数量", Required: true, Value: "1", Min: 1, Max: 5, Suffix: "个"}),
				Field(FieldProps{Kind: TextareaField, Name: "remark", Label: "备注", Rows: 2}),
				Agree(FieldProps{Kind: CheckboxField, Name: "agree", Label: "我已阅读并同意", Required: true}, Link{"《数字证书服务协议》", "/terms"}),
			),
			Refresh(),
		),
	)
}

func storyOrder() templ.Component {
	steps := Steps(1, journey...)
	steps[1].State = StepTrouble
	return with(Portal(PortalProps{Title: "订单 BYD202611220001", Kicker: "USBKEY 过期更新", Steps: steps, Back: Link{"我的订单", "/orders"}}),
		Next(NextProps{State: "审核未通过", Tone: Danger, Title: "请修改 2 处后重新提交", Text: "营业执照照片不清晰；企业名称与营业执照不一致。其他内容已保留，无需重填。", Action: Button(ButtonProps{Label: "立即修改", Kind: Primary, Large: true, Href: "/fix"}), Plain: Button(ButtonProps{Label: "联系客服", Kind: Quiet, Href: "/help"})}),
		with(Card("办理进度"), Timeline([]Event{
			{At: storyTime, Title: "审核未通过", Who: "审核员", Reason: "营业执照照片不清晰，请在光线充足处重拍。", Tone: Danger},
			{At: storyTime.Add(-26 * time.Hour), Title: "已支付 ¥200.00", Who: "微信支付", Tone: Good}, {At: storyTime.Add(-27 * time.Hour), Title: "提交申请", Who: "您"},
		})),
		with(Fold("申请信息", true), List([]Datum{{Label: "企业名称", Value: "北京演示科技有限公司", Change: "/edit"}, {Label: "统一社会信用代码", Value: "91110000MA00000000", Mono: true, Copy: true}, {Label: "手机号", Value: "138****8000"}, {Label: "固定电话"}})),
		with(Fold("发票", false), Notice(NoticeProps{Tone: Warn, Title: "电子发票", Text: "付款后 3 个工作日内开具。"})),
	)
}

func storyPay() templ.Component {
	return with(Portal(PortalProps{Title: "支付", Kicker: "USBKEY 过期更新", Steps: Steps(3, journey...), Refresh: 5}),
		Tabs("付款方式", []TabItem{{Label: "微信支付", Href: "?m=wx", Active: true}, {Label: "支付宝", Href: "?m=ali"}, {Label: "银行汇款", Href: "?m=bank"}}),
		with(Card(""), Amount(20000, "USBKEY 证书 1 年 × 1"), with(Poll("/status", 2), QR(QRProps{Text: "https://pay.example.com/demo/1234567890", Label: "微信扫码支付", Caption: "请用微信扫一扫。二维码 14:59 后失效。"}))),
		with(Card("银行汇款"), List([]Datum{{Label: "收款户名", Value: "演示收款账户", Copy: true}, {Label: "账号", Value: "0000 0000 0000 0000", Mono: true, Copy: true}, {Label: "附言", Value: "BYD0001", Copy: true, Note: "汇款时请填写，便于核对"}})),
		with(Actions(), Button(ButtonProps{Label: "我已支付", Kind: Primary, Href: "/status"}), Button(ButtonProps{Label: "稍后支付，进入订单中心", Kind: Quiet, Href: "/orders"})),
	)
}

func storyLogin() templ.Component {
	return with(Portal(PortalProps{Title: "登录", Narrow: true, Lead: "用注册手机号登录，查看订单或继续办理。"}),
		Tabs("登录方式", []TabItem{{Label: "验证码登录", Href: "?by=code", Active: true}, {Label: "密码登录", Href: "?by=password"}}),
		with(Form(FormProps{}), with(templ.Raw(`<div class="fields">`)),
			Field(FieldProps{Kind: TelField, Name: "mobile", Label: "手机号", Required: true, Value: "13800138000", Autocomplete: "tel"}),
			Field(FieldProps{Kind: CodeField, Name: "code", Label: "短信验证码", Required: true, Value: "123456", MaxLength: 6, Action: Countdown(CountdownProps{Label: "获取验证码", Name: "_step", Value: "send", URL: "/code"})}),
			templ.Raw(`</div>`),
			with(Actions(), Button(ButtonProps{Label: "登录", Kind: Primary, Large: true}), Button(ButtonProps{Label: "注册新账号", Kind: Quiet, Href: "/register"}))),
	)
}

func storyOrders() templ.Component {
	row := func(no, state string, tone Tone) Row {
		return Row{Href: "/orders/" + no, Cells: []Cell{{Text: no, Mono: true}, {Text: "过期更新"}, {Body: Tag(tone, state)}, {Text: "¥200.00"}, {Text: DateTime(storyTime)}}}
	}
	return with(Portal(PortalProps{Title: "我的订单", Wide: true}),
		Tabs("状态", []TabItem{{Label: "全部", Href: "?", Active: true, Count: 3}, {Label: "待支付", Href: "?s=pay", Count: 1}, {Label: "审核中", Href: "?s=review"}, {Label: "已完成", Href: "?s=done"}}),
		DataTable(TableProps{Label: "订单", Columns: []Column{{Label: "订单号"}, {Label: "业务"}, {Label: "状态"}, {Label: "金额", Right: true}, {Label: "提交时间", Right: true}},
			Rows: []Row{row("BYD202611220001", "待支付", Warn), row("BYD202611210007", "审核中", Info), row("BYD202511210003", "已完成", Good)}}),
		Pager(PagerProps{Page: 2, Pages: 9, Total: 83, Href: func(n int) string { return fmt.Sprintf("?page=%d", n) }}),
		Empty(EmptyProps{Title: "还没有待支付的订单", Text: "提交申请后，待支付的订单会出现在这里。", Action: Button(ButtonProps{Label: "办理新业务", Href: "/"})}),
	)
}

var storyNav = []NavGroup{{Items: []NavItem{{Label: "工作台", Href: "/", Icon: "empty"}}}, {Label: "队列", Items: []NavItem{
	{Label: "待审核", Href: "/queue/review", Icon: "search", Count: 12, Active: true, Late: true}, {Label: "待核款", Href: "/queue/payment", Icon: "yuan", Count: 3},
	{Label: "待制证", Href: "/queue/key", Icon: "key", Count: 5}, {Label: "待发货", Href: "/queue/ship", Icon: "truck"}, {Label: "待开票", Href: "/queue/invoice", Icon: "file", Count: 128},
}}, {Label: "管理", Items: []NavItem{{Label: "租户", Href: "/tenants", Icon: "user"}, {Label: "审计", Href: "/audit", Icon: "lock"}}}}

func storyQueue() templ.Component {
	var rows []Row
	for i := range 14 {
		due, tone, edge := Due(Plain, "还剩 2 工作日"), Info, Plain
		if i == 0 {
			due, edge = Due(Danger, "已超时 3 小时"), Danger
		} else if i < 4 {
			due = Due(Warn, "还剩 5 小时")
		}
		rows = append(rows, Row{Href: "/o", Tone: edge, Cells: []Cell{{Text: fmt.Sprintf("BYD2026112200%02d", i), Mono: true}, {Text: "北京演示科技有限公司", Sub: "过期更新 · 比亚迪"}, {Body: Tag(tone, "待审核")}, {Text: "¥200.00"}, {Body: due, Sub: DateTime(storyTime)}, {Text: "—"}}})
	}
	return with(Console(ConsoleProps{Title: "待审核", Crumbs: []Link{{"队列", "/"}}, Nav: storyNav, Actions: Button(ButtonProps{Label: "领取下一单", Kind: Primary, Key: "N"}), Banner: "您正在查看租户「演示租户」的数据，操作会记入审计。"}),
		Filter(FilterProps{Action: "/q", Hint: "订单号、企业名称", Selects: []FilterSelect{{Name: "t", Label: "租户", Options: []Option{{Value: "a", Label: "演示租户"}}}, {Name: "s", Label: "业务", Options: []Option{{Value: "a", Label: "过期更新"}}}}, Reset: "/q"}),
		DataTable(TableProps{Label: "待审核订单", Tools: true, Rows: rows, Columns: []Column{{Label: "订单号", Sort: "?s=no"}, {Label: "企业"}, {Label: "状态"}, {Label: "金额", Right: true}, {Label: "时限", Sort: "?s=due", Order: "ascending"}, {Label: "领取人"}}}),
		Pager(PagerProps{Page: 1, Pages: 3, Total: 42, Href: func(n int) string { return fmt.Sprintf("?page=%d", n) }}),
	)
}

func storyReview() templ.Component {
	verdict := with(Form(FormProps{ID: "verdict"}), Button(ButtonProps{Label: "通过", Kind: Primary, Name: "verdict", Value: "approve", Key: "A"}), Button(ButtonProps{Label: "退回修改", Kind: Dangerous, Name: "verdict", Value: "reject", Key: "R"}), Button(ButtonProps{Label: "暂不处理", Kind: Quiet, Href: "/next"}), Due(Warn, "还剩 5 小时"))
	return with(Console(ConsoleProps{Title: "审核 BYD202611220001", Crumbs: []Link{{"待审核", "/q"}}, Nav: storyNav, Full: true, Actions: Button(ButtonProps{Label: "更多", Dialog: "more"})}),
		with(Desk(DeskProps{
			Docs: []Doc{{Label: "营业执照", URL: "/story/doc1.svg", State: Good, Field: "uscc"}, {Label: "授权书", URL: "/story/doc2.svg", State: Danger, Field: "letter"}},
			Facts: []FactGroup{{Title: "企业信息", Facts: []Fact{
				{Field: "org_name", Label: "企业名称", Value: "北京演示科技有限公司", Letter: "北京演示科技公司", Check: Danger, Note: "与授权书二维码内容不一致", Reject: true},
				{Field: "uscc", Label: "信用代码", Value: "91110000MA00000000", Check: Good, Note: "校验位正确", Reject: true},
				{Field: "nature", Label: "企业性质", Value: "企业", Was: "个人", Reject: true},
			}}, {Title: "代理人", Facts: []Fact{
				{Field: "agent", Label: "姓名", Value: "张*", Reveal: "/reveal", Reject: true}, {Field: "mobile", Label: "手机号", Value: "138****8000", Reveal: "/reveal", Check: Warn, Note: "另有 2 个订单使用同一手机号"},
			}}, {Title: "材料", Facts: []Fact{{Field: "letter", Label: "授权书", Value: "编号 BYD-0001", Check: Danger, Note: "未检测到红色公章", Reject: true}}}},
			Verdict: verdict,
		}), Reasons([]string{"图片不清晰", "公章缺失"})),
		RevealForm(),
		with(Dialog(DialogProps{ID: "more", Title: "转交他人"}), Notice(NoticeProps{Text: "转交后由对方继续审核。"}), Button(ButtonProps{Label: "取消", Close: true})),
	)
}

func storyStaff() templ.Component {
	return with(Console(ConsoleProps{Title: "录入运单", Nav: storyNav}),
		with(Card(""), with(Form(FormProps{}), with(Section(0, "运单", "签收前可更正一次。", "", false),
			Field(FieldProps{Kind: SelectField, Name: "carrier", Label: "快递公司", Required: true, Options: []Option{{Value: "sto", Label: "申通快递"}}}),
			Field(FieldProps{Name: "waybill", Label: "运单号", Required: true, Width: "m"}),
			Field(FieldProps{Kind: MoneyField, Name: "fee", Label: "运费"}), Field(FieldProps{Kind: DateField, Name: "sent", Label: "发货日期"})),
			with(Actions(), Button(ButtonProps{Label: "登记发货", Kind: Primary})))),
	)
}
