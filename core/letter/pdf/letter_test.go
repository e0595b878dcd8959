package pdf

import (
	"crypto/ed25519"
	"testing"

	"certsaas/core/letter/qr"
)

// byd is the renewal letter of a demonstration dealer (domain: letter wording, 演示 data).
func byd(t testing.TB) Document {
	t.Helper()
	values := map[string]string{
		"ca_name": "演示数字证书认证有限公司", "org": "演示䶮喆堃汽车销售服务（深圳）有限公司", "code": "91350200MA2XN1AB0X",
		"dealer_code": "4403000001", "name": "𠮷𬱖𣲗", "mobile": "13800138000", "post": "销售经理", "email": "dealer-long-address.service@example.com.cn",
	}
	const no = "BYD-20261128-000123"
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	digest := qr.Digest(values)
	fill := func(template string) Text {
		text, err := Fill(template, values)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	return Document{
		Title: "数字证书更新办理授权书", Number: no, Digest: digest, Footer: "比亚迪代理商数字证书服务（演示）",
		QR: qr.Payload("https://byd.certsaas.example", no, digest, qr.Sign(key, no, digest)),
		Blocks: []Block{
			Title{Text: "数字证书更新办理授权书", Sub: "编号：" + no},
			Paragraph{Text: fill("致：{ca_name}"), Align: AlignLeft},
			Paragraph{Indent: true, Text: fill("本单位{org}（统一社会信用代码/注册号：{code}；代理商编码前十位：{dealer_code}）现授权下列代理人，就本单位在比亚迪代理商平台所用 USBKEY 数字证书的更新事宜，代为提交资料、支付费用、接收短信通知并完成证书下载。")},
			Fields{Columns: 2, Fields: []Field{{"代理人", values["name"]}, {"手机", values["mobile"]}, {"岗位", values["post"]}, {"电子邮箱", values["email"]}}},
			List{Style: NumberChinese, Items: []Text{
				Plain("本单位目前仍具备比亚迪代理商平台代理商资格，所填信息及所附证照真实、完整、现行有效。"),
				Plain("代理人在本次授权范围内的操作视为本单位行为，由此产生的后果由本单位承担。"),
				Plain("新证书及其密钥由本单位专人保管；遗失、泄密或信息变更时，将立即通知贵方注销、补办或变更。"),
				Plain("本单位已告知代理人，并同意贵方为身份核验及法定留存之目的处理本授权书所载个人信息，留存期至证书失效后满五年。"),
				Plain("授权期限：自签署之日起至本次更新办理完毕止，最长三十日。"),
			}},
			Signature{Parties: []Party{{Label: "单位（盖公章）：", Seal: true}, {Label: "代理人（签字）："}}, Date: "日期：______年____月____日"},
		},
	}
}

// guide is a 办理须知 long enough for several pages.
func guide() Document {
	rows := [][]string{}
	for i := range 60 {
		rows = append(rows, []string{chineseNumber(i + 1), "上传加盖公章的彩色图片，大小不超过 2M，格式为 .jpeg、.jpg、.png。", "1-2个工作日"})
	}
	return Document{Title: "办理须知", Footer: "演示", Blocks: []Block{
		Title{Text: "USBKEY 数字证书办理须知"},
		Heading{Level: 1, Text: "一、办理流程"},
		Paragraph{Indent: true, Text: Text{{Text: "请先"}, {Text: "下载", Bold: true}, {Text: "授权书，打印并加盖公章。"}}},
		List{Style: Bullet, Items: []Text{Plain("营业执照"), Plain("授权书（彩色）"), Plain("经办人身份证正反面")}},
		List{Style: NumberParen, Items: []Text{Plain("在线填报"), Plain("缴费")}},
		List{Style: NumberDot, Start: 9, Items: []Text{Plain("在线填报"), Plain("缴费")}},
		Rule{},
		Table{Head: []string{"步骤", "说明", "时限"}, Rows: rows, Widths: []float64{1, 4, 1.4}},
		Heading{Level: 2, Text: "联系我们"},
		Paragraph{Text: Plain("客服电话 400-000-0000")},
	}}
}
