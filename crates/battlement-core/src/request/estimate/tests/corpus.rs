//! Short texts in many scripts, written for this test.

/// What the rates were fitted to.
pub(super) const CORPUS: &[(&str, &str)] = &[
    (
        "English prose",
        "The harbour master walked down to the pier before sunrise, as he had done every morning for thirty years. The boats were already leaving, one after another, their lamps swinging in the dark. He counted them, wrote the number in his notebook, and waited for the fog to lift. \"It will be a quiet day,\" he said to nobody in particular, and he was wrong: by noon the storm warning had arrived, and half of the fleet was still far beyond the lighthouse.",
    ),
    (
        "English prose",
        "Please summarize the attached report for an executive audience. Focus on revenue growth, customer retention, and the operational risks identified in the third quarter. Avoid technical terminology, don't exceed three paragraphs, and finish with a short recommendation. If the numbers in the appendix contradict the introduction, mention the discrepancy explicitly; our shareholders will certainly notice it.",
    ),
    (
        "code",
        "impl<T: Clone> Buffer<T> {\n    /// Appends an item, dropping the oldest when full.\n    pub fn push(&mut self, item: T) -> Option<T> {\n        let dropped = if self.items.len() == self.capacity {\n            self.items.pop_front()\n        } else {\n            None\n        };\n        self.items.push_back(item);\n        dropped\n    }\n}\n\nfn main() {\n    let mut buffer = Buffer::with_capacity(4);\n    for i in 0..10 {\n        if let Some(old) = buffer.push(i * 2) {\n            println!(\"dropped {old}\");\n        }\n    }\n}\n",
    ),
    (
        "code",
        "import asyncio\nfrom dataclasses import dataclass, field\n\n@dataclass\nclass RetryPolicy:\n    max_attempts: int = 3\n    base_delay: float = 0.5\n    retry_on: tuple = field(default_factory=lambda: (TimeoutError, ConnectionError))\n\nasync def fetch_with_retry(client, url, policy=RetryPolicy()):\n    for attempt in range(1, policy.max_attempts + 1):\n        try:\n            response = await client.get(url, headers={\"X-Attempt\": str(attempt)})\n            response.raise_for_status()\n            return await response.json()\n        except policy.retry_on as error:\n            if attempt == policy.max_attempts:\n                raise\n            await asyncio.sleep(policy.base_delay * 2 ** (attempt - 1))\n",
    ),
    (
        "JSON",
        "{\"name\":\"get_weather\",\"description\":\"Returns the weather at a place.\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"Name of the city\"},\"unit\":{\"type\":\"string\",\"enum\":[\"celsius\",\"fahrenheit\"]},\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":14}},\"required\":[\"city\"],\"additionalProperties\":false}}",
    ),
    (
        "JSON",
        "{\n  \"orderId\": \"A-20931\",\n  \"customer\": { \"firstName\": \"Marta\", \"lastName\": \"Keller\", \"vip\": true },\n  \"items\": [\n    { \"sku\": \"LMP-77\", \"quantity\": 2, \"unitPrice\": 39.95 },\n    { \"sku\": \"CBL-03\", \"quantity\": 10, \"unitPrice\": 1.2 }\n  ],\n  \"shippingAddress\": { \"street\": \"Hafenweg 12\", \"zip\": \"20457\", \"country\": \"DE\" },\n  \"notes\": null\n}",
    ),
    (
        "German",
        "Am frühen Morgen ging der Hafenmeister zum Steg hinunter, wie er es seit dreißig Jahren jeden Tag getan hatte. Die Boote liefen bereits aus, eines nach dem anderen, und ihre Laternen schwankten in der Dunkelheit. Er zählte sie, schrieb die Zahl in sein Notizbuch und wartete darauf, dass sich der Nebel lichtete. Die Sturmwarnung der Wetterbehörde kam erst gegen Mittag, und die Hälfte der Fischereiflotte war noch weit draußen.",
    ),
    (
        "German",
        "Bitte fassen Sie den beigefügten Geschäftsbericht für die Geschäftsführung zusammen. Legen Sie den Schwerpunkt auf Umsatzwachstum, Kundenbindung und die im dritten Quartal festgestellten Betriebsrisiken. Vermeiden Sie Fachbegriffe, schreiben Sie höchstens drei Absätze und schließen Sie mit einer kurzen Handlungsempfehlung.",
    ),
    (
        "French and Spanish",
        "Le capitaine descendit vers le quai avant le lever du soleil, comme il le faisait chaque matin depuis trente ans. Les bateaux partaient déjà, l'un après l'autre, et leurs lanternes se balançaient dans l'obscurité. Il les compta, écrivit le nombre dans son carnet et attendit que le brouillard se lève.",
    ),
    (
        "French and Spanish",
        "Por favor, resume el informe adjunto para la dirección de la empresa. Céntrate en el crecimiento de los ingresos, la retención de clientes y los riesgos operativos detectados en el tercer trimestre. Evita la terminología técnica, no escribas más de tres párrafos y termina con una recomendación breve.",
    ),
    (
        "Russian",
        "Рано утром начальник порта спустился к причалу, как делал это каждый день последние тридцать лет. Лодки уже выходили в море одна за другой, и их фонари качались в темноте. Он пересчитал их, записал число в тетрадь и стал ждать, пока рассеется туман. К полудню пришло штормовое предупреждение, а половина флота была ещё далеко за маяком.",
    ),
    (
        "Russian",
        "Пожалуйста, подготовьте краткое изложение приложенного отчёта для руководства компании. Основное внимание уделите росту выручки, удержанию клиентов и операционным рискам, выявленным в третьем квартале. Избегайте технических терминов и завершите текст короткой рекомендацией.",
    ),
    (
        "Greek",
        "Νωρίς το πρωί ο λιμενάρχης κατέβηκε στην προβλήτα, όπως έκανε κάθε μέρα εδώ και τριάντα χρόνια. Τα καράβια έφευγαν ήδη το ένα μετά το άλλο, και τα φανάρια τους κουνιόντουσαν στο σκοτάδι.",
    ),
    (
        "Greek",
        "Παρακαλώ συνοψίστε τη συνημμένη έκθεση για τη διοίκηση της εταιρείας. Εστιάστε στην αύξηση των εσόδων, στη διατήρηση των πελατών και στους λειτουργικούς κινδύνους.",
    ),
    (
        "Chinese",
        "清晨，港务长像三十年来的每一天一样走向码头。渔船已经一艘接一艘地出海，船上的灯在黑暗中摇晃。他数了数船只，把数字写进笔记本，然后等待雾气散去。“今天会很平静。”他自言自语道，可是他错了：中午时分传来了风暴警报，而一半的船队还远在灯塔之外。",
    ),
    (
        "Chinese",
        "请为公司管理层总结所附的报告。重点说明收入增长、客户保留以及第三季度发现的经营风险。避免使用专业术语，篇幅不要超过三段，最后给出一条简短的建议。如果附录中的数据与引言不一致，请明确指出。",
    ),
    (
        "Japanese",
        "早朝、港長はこの三十年間毎日そうしてきたように桟橋へと歩いて行った。船はすでに一隻また一隻と出航し、そのランプが暗闇の中で揺れていた。彼は船の数を数え、ノートに書き留め、霧が晴れるのを待った。しかし正午には嵐の警報が届き、船団の半分はまだ灯台のはるか沖にいた。",
    ),
    (
        "Japanese",
        "添付のレポートを経営陣向けに要約してください。売上の成長、顧客の維持、そして第三四半期に確認された業務リスクに重点を置いてください。専門用語は避け、三段落以内にまとめ、最後に短い提案を加えてください。",
    ),
    (
        "Korean",
        "이른 아침, 항만장은 지난 삼십 년 동안 매일 그랬던 것처럼 부두로 내려갔다. 배들은 이미 한 척씩 떠나고 있었고 등불이 어둠 속에서 흔들렸다. 그는 배의 수를 세어 공책에 적고 안개가 걷히기를 기다렸다. 그러나 정오에 폭풍 경보가 도착했고 선단의 절반은 아직 등대 너머에 있었다.",
    ),
    (
        "Korean",
        "첨부된 보고서를 경영진을 위해 요약해 주세요. 매출 성장, 고객 유지, 그리고 3분기에 확인된 운영 위험에 초점을 맞추어 주세요. 전문 용어는 피하고 세 단락을 넘지 않게 작성한 뒤 짧은 제안으로 마무리해 주세요.",
    ),
    (
        "Arabic",
        "في الصباح الباكر نزل مدير الميناء إلى الرصيف كما كان يفعل كل يوم منذ ثلاثين عاما. كانت القوارب تغادر واحدا تلو الآخر ومصابيحها تتأرجح في الظلام. عدها وكتب الرقم في دفتره وانتظر حتى ينقشع الضباب، لكن تحذير العاصفة وصل عند الظهر.",
    ),
    (
        "Arabic",
        "يرجى تلخيص التقرير المرفق لإدارة الشركة مع التركيز على نمو الإيرادات والاحتفاظ بالعملاء والمخاطر التشغيلية التي ظهرت في الربع الثالث. تجنب المصطلحات التقنية واختم بتوصية قصيرة.",
    ),
    (
        "Hebrew",
        "מוקדם בבוקר ירד מנהל הנמל אל הרציף, כפי שעשה מדי יום במשך שלושים שנה. הסירות כבר יצאו לים זו אחר זו, והפנסים שלהן התנדנדו בחושך.",
    ),
    (
        "Hebrew",
        "אנא סכם את הדוח המצורף עבור הנהלת החברה. התמקד בצמיחת ההכנסות, בשימור הלקוחות ובסיכונים התפעוליים שזוהו ברבעון השלישי.",
    ),
    (
        "Hindi",
        "सुबह होने से पहले बंदरगाह का प्रमुख घाट की ओर चल पड़ा, जैसा कि वह पिछले तीस वर्षों से हर दिन करता आया था। नावें एक के बाद एक समुद्र में जा रही थीं और उनकी लालटेनें अंधेरे में झूल रही थीं। उसने उन्हें गिना और संख्या अपनी कॉपी में लिख ली।",
    ),
    (
        "Hindi",
        "कृपया संलग्न रिपोर्ट का सारांश कंपनी के प्रबंधन के लिए तैयार करें। राजस्व वृद्धि, ग्राहकों को बनाए रखने और तीसरी तिमाही में सामने आए जोखिमों पर ध्यान दें। तकनीकी शब्दों से बचें।",
    ),
    (
        "Thai",
        "เช้าตรู่ นายท่าเรือเดินลงไปที่ท่าเรือเหมือนที่เขาทำทุกวันตลอดสามสิบปีที่ผ่านมา เรือกำลังออกจากฝั่งทีละลำ และโคมไฟแกว่งไปมาในความมืด",
    ),
    (
        "Thai",
        "กรุณาสรุปรายงานที่แนบมาสำหรับผู้บริหารของบริษัท โดยเน้นการเติบโตของรายได้ การรักษาลูกค้า และความเสี่ยงในการดำเนินงาน",
    ),
    (
        "emoji",
        "Great job 🎉🎉 the release is out 🚀! Thanks everyone 🙏😊 see you at the party 🍕🍺🎂 👍👍 ❤️ 🔥🔥🔥 😂😂",
    ),
    ("emoji", "😀😃😄😁😆 🐶🐱🐭🐹🐰🦊🐻 ⚽🏀🏈 🇩🇪🇫🇷🇯🇵 👩‍💻👨‍🚀 ✅❌⚠️ 🌍🌞🌧️"),
    (
        "numbers",
        "2026-11-20 12:00:00 1795176000 3.14159265358979 42 1000000 0.001 -273.15 +49 40 123456789 192.168.0.1 65535 99.95% 1,234,567.89 $12.50 0x1F4A 2^31",
    ),
    (
        "numbers",
        "id,price,qty,total\n1001,19.99,3,59.97\n1002,5.25,12,63.00\n1003,149.00,1,149.00\n1004,0.99,250,247.50\n1005,74.95,2,149.90\n1006,12.00,8,96.00\n",
    ),
    (
        "Markdown",
        "# Release notes\n\n## Added\n\n- `retry`: honor `retry-after` dates (#128)\n- **breaker**: a probe per endpoint\n\n| layer | cost | notes |\n|-------|------|-------|\n| retry | 1 µs | no allocation |\n| cache | 3 µs | per key |\n\n> Note: see [the guide](https://example.com/docs/guide.html#retry) for details.\n\n```rust\nlet layer = RetryLayer::new();\n```\n",
    ),
    (
        "Markdown",
        "### How to install\n\n1. Download the archive from https://downloads.example.org/v2/tool-linux-x86_64.tar.gz\n2. Unpack it: `tar -xzf tool-linux-x86_64.tar.gz`\n3. Move the binary to `/usr/local/bin`\n\n* **Linux** - supported\n* **macOS** - supported\n* **Windows** - _experimental_\n\n---\n\nQuestions? Write to support@example.org.\n",
    ),
];

/// Written after the rates were set, and not used to change them.
#[cfg(feature = "exact-tokens")]
pub(super) const HELD_OUT: &[(&str, &str)] = &[
    (
        "English prose",
        "I have been trying to reach your support team since Tuesday. The replacement part you sent does not fit my coffee machine, even though the model number on the box is correct. Could you tell me whether there are different versions of it? I would rather get a refund than wait another two weeks.",
    ),
    (
        "code",
        "async function loadUsers(ids) {\n  const results = await Promise.all(\n    ids.map((id) => fetch(`/api/users/${id}`).then((r) => r.json())),\n  );\n  return results.filter((user) => user && !user.deleted).sort((a, b) => a.name.localeCompare(b.name));\n}\n\nSELECT c.name, COUNT(o.id) AS orders\nFROM customers c LEFT JOIN orders o ON o.customer_id = c.id\nWHERE o.created_at >= '2026-01-01' GROUP BY c.name HAVING COUNT(o.id) > 5;\n",
    ),
    (
        "JSON",
        "[{\"id\":\"evt_1\",\"type\":\"invoice.paid\",\"data\":{\"amount\":4200,\"currency\":\"eur\",\"customer\":\"cus_8231\",\"lines\":[{\"plan\":\"pro\",\"quantity\":1,\"proration\":false}]},\"livemode\":true,\"created\":1795176000}]",
    ),
    (
        "German",
        "Seit Dienstag versuche ich, Ihren Kundendienst zu erreichen. Das Ersatzteil, das Sie mir geschickt haben, passt nicht in meine Kaffeemaschine, obwohl die Modellnummer auf der Verpackung stimmt. Gibt es davon verschiedene Ausführungen? Eine Rückerstattung wäre mir lieber, als noch zwei Wochen zu warten.",
    ),
    (
        "French and Spanish",
        "J'essaie de joindre votre service client depuis mardi. La pièce de rechange que vous m'avez envoyée ne convient pas à ma machine à café. Existe-t-il plusieurs versions ? Prefiero que me devuelvan el dinero antes que esperar otras dos semanas.",
    ),
    (
        "Russian",
        "Со вторника я пытаюсь дозвониться до вашей службы поддержки. Запасная деталь, которую вы прислали, не подходит к моей кофеварке, хотя номер модели на коробке правильный. Скажите, существуют ли разные версии? Я бы предпочёл вернуть деньги.",
    ),
    (
        "Greek",
        "Από την Τρίτη προσπαθώ να επικοινωνήσω με την εξυπηρέτηση πελατών. Το ανταλλακτικό που μου στείλατε δεν ταιριάζει στην καφετιέρα μου.",
    ),
    (
        "Chinese",
        "从星期二开始我就一直在联系你们的客服。你们寄来的零件和我的咖啡机不匹配，虽然盒子上的型号是对的。请问这个零件有不同的版本吗？我宁愿退款，也不想再等两个星期。",
    ),
    (
        "Japanese",
        "火曜日からサポートに連絡を取ろうとしています。送っていただいた交換部品は、箱の型番は正しいのに私のコーヒーメーカーに合いません。別のバージョンがあるのでしょうか。もう二週間待つより返金をお願いしたいです。",
    ),
    (
        "Korean",
        "화요일부터 고객 센터에 연락하려고 했습니다. 보내 주신 부품은 상자의 모델 번호가 맞는데도 제 커피 머신에 맞지 않습니다. 다른 버전이 있나요? 이 주를 더 기다리느니 환불을 받고 싶습니다.",
    ),
    (
        "Arabic",
        "أحاول التواصل مع خدمة العملاء منذ يوم الثلاثاء. القطعة التي أرسلتموها لا تناسب ماكينة القهوة الخاصة بي رغم أن رقم الطراز صحيح. أفضل استرداد المبلغ على الانتظار أسبوعين آخرين.",
    ),
    (
        "Hebrew",
        "אני מנסה ליצור קשר עם שירות הלקוחות מאז יום שלישי. החלק ששלחתם לא מתאים למכונת הקפה שלי למרות שמספר הדגם נכון.",
    ),
    (
        "Hindi",
        "मैं मंगलवार से आपकी सहायता टीम से संपर्क करने की कोशिश कर रहा हूँ। आपने जो पुर्जा भेजा है वह मेरी कॉफी मशीन में नहीं लगता। मुझे दो हफ्ते और इंतजार करने से बेहतर पैसे वापस चाहिए।",
    ),
    (
        "Thai",
        "ฉันพยายามติดต่อฝ่ายบริการลูกค้าตั้งแต่วันอังคาร อะไหล่ที่คุณส่งมาไม่พอดีกับเครื่องชงกาแฟของฉัน ฉันอยากได้เงินคืนมากกว่า",
    ),
    (
        "emoji",
        "Happy birthday 🥳🎈 we love you ❤️❤️ enjoy your day ☀️ and the cake 🍰😋 — see you soon 👋🏽 🤗",
    ),
    (
        "numbers",
        "0.25 0.50 0.75 1.00 17 23 42 1999 2024 31415 271828 1000000007 12:45:09 555-0142 8080 443 1e-9 6.022e23",
    ),
    (
        "Markdown",
        "## Agenda\n\n- [x] Review **budget** for 2027\n- [ ] Hire two engineers ([draft](docs/hiring.md))\n\n| Name | Role | Days |\n|:-----|:----:|-----:|\n| Ana | lead | 5 |\n\n> _Decision:_ postponed.\n",
    ),
];
