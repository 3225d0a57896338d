"""Sentences of our own in many languages, and the encodings in which people saved such texts."""

import unicodedata

WESTERN = "cp1252 latin-1 iso8859-15 cp850 mac_roman"
CENTRAL = "cp1250 iso8859-2 cp852"
BALTIC = "cp1257 iso8859-13"
CYRILLIC = "cp1251 iso8859-5 cp866 mac_cyrillic"

# language: (encodings beside Unicode's, a text)
LANGUAGES = {
    "German": (
        WESTERN,
        "Der Bäcker öffnete früh die Tür und stellte müde drei Körbe vor das Geschäft. Gegenüber "
        "fütterte ein älterer Herr die Vögel, bis der Zug über die Brücke fuhr und alle größeren "
        "Tauben aufflogen. Später kam seine Enkelin, aß ein Brötchen und zählte die Häuser.",
    ),
    "French": (
        WESTERN,
        "Le facteur s'arrêta devant la grille rouillée, posa son vélo et écouta. Derrière la "
        "fenêtre, une voix répétait la même leçon à un élève distrait. « Voilà, dit-elle, ça "
        "suffit pour aujourd'hui. » Déjà la lumière baissait sur la forêt et le château.",
    ),
    "Spanish": (
        WESTERN,
        "El niño preguntó por qué la montaña parecía más pequeña al atardecer. Su abuela sonrió, "
        "cerró el cajón y señaló el camino: ¿no ves que también nosotros estamos lejos? Después "
        "llovió, y la señora del almacén sacó las sillas al jardín.",
    ),
    "Portuguese": (
        WESTERN,
        "A professora não sabia onde tinham ficado as chaves da estação. O irmão procurou no "
        "porão, atrás do fogão e até no chão do ônibus. À noite, as crianças as acharam dentro de "
        "um pão, e ninguém soube explicar a confusão.",
    ),
    "Italian": (
        WESTERN,
        "La città era già sveglia quando il pescatore tornò. Perché non c'era più vento, disse, "
        "né onde, e così portò a casa soltanto una bottiglia vuota. Lunedì ci proverà di nuovo, "
        "però con la barca di suo zio, che è più grande.",
    ),
    "Dutch": (
        WESTERN,
        "De molenaar had één paard en twee geïrriteerde ganzen. Elke ochtend reed hij naar de "
        "markt, waar men hem een financiële adviseur noemde omdat hij zo goed kon rekenen. "
        "Vóór de brug stapte hij af en vroeg aan de brugwachter of het water gestegen was.",
    ),
    "Swedish": (
        WESTERN,
        "På ön bodde två systrar som varje höst lagade nät och kokade äppelmos. Den yngre ville "
        "åka över sjön, men den äldre sade att isen ännu var för tunn. När snön föll hörde de "
        "någon ropa från bryggan.",
    ),
    "Danish": (
        WESTERN,
        "Færgen sejlede først, da tågen var lettet. På kajen stod en dreng med røde støvler og "
        "så efter den, mens hans mor købte brød og æbler. Året efter rejste de selv over sundet "
        "og fandt en lille ø med ét hus.",
    ),
    "Finnish": (
        WESTERN,
        "Vanha kalastaja lähti järvelle ennen päivää, kun lämpö ei ollut vielä noussut. Tyttö "
        "jäi laiturille ja väitti näkevänsä kylän valot. Illalla söimme yhdessä, eikä kukaan "
        "kysynyt, mitä meri oli vienyt mennessään.",
    ),
    "Icelandic": (
        "cp1252 latin-1 iso8859-15 cp850",
        "Gamli maðurinn sat við sjóinn og hlustaði á öldurnar. Hún spurði hvað hann hefði séð, en "
        "hann þagði og brosti aðeins. Þegar kvöldaði gengu þau heim yfir hæðina, og kötturinn "
        "beið þeirra við dyrnar.",
    ),
    "Polish": (
        CENTRAL,
        "Młynarz wyszedł przed świtem, żeby sprawdzić, czy rzeka nie zabrała mostu. Dziewczyna z "
        "sąsiedztwa już tam stała i liczyła łódki. Późnym wieczorem wrócili zmęczeni, zjedli "
        "gorącą zupę i śmiali się, że woda poczeka jeszcze tydzień.",
    ),
    "Czech": (
        CENTRAL,
        "Převozník čekal u řeky, dokud nepřišel poslední člověk s těžkým kufrem. Nikdo se ho "
        "neptal, kam jede, jen děti běžely podél břehu a křičely. Ve městě už svítily lampy, když "
        "loď konečně přistála a kůň zařehtal.",
    ),
    "Slovak": (
        CENTRAL,
        "Vdova predávala na trhu jablká a večer počítala peniaze v tichej kuchyni. Jej syn chcel "
        "odísť do veľkého mesta, ale najprv musel opraviť strechu. Keď prišla zima, ľudia si "
        "povedali, že ešte nikdy nebol taký krásny sneh.",
    ),
    "Hungarian": (
        CENTRAL,
        "A molnár felesége hűvös reggeleken kenyeret sütött, és a gyerekek az ajtóban várták. "
        "Egyszer egy idős vándor kért tőlük szállást, mert elfáradt a hosszú úton. Másnap eltűnt, "
        "de az asztalon hagyott egy fából faragott őzet és egy gyűrűt.",
    ),
    "Croatian": (
        CENTRAL,
        "Ribar je svaku večer popravljao mrežu i pričao priče koje nitko nije vjerovao. Djevojčica "
        "je šutjela, gledala more i čekala brod. Kad je došao, već je bilo kasno, pa su svi "
        "otišli kući i zaključali vrata.",
    ),
    "Slovene": (
        CENTRAL,
        "Čebelar je vsako jutro šel čez travnik in poslušal, ali je čreda že zunaj. Žena mu je "
        "rekla, naj vzame dežnik, ker bo popoldne deževalo. Rekel je, da ga nima, in odšel kar "
        "brez čevljev.",
    ),
    "Romanian": (
        "cp1250 iso8859-2 cp852",
        "Bătrânul pădurar nu mai vorbea cu nimeni, dar își hrănea câinele înainte de răsărit. "
        "Într-o zi a găsit lângă fântână o scrisoare fără adresă. A citit-o, a zâmbit și a "
        "împăturit-o la loc.".replace("ș", "ş").replace("ț", "ţ"),
    ),
    "Turkish": (
        "cp1254 iso8859-9 cp857",
        "Değirmenci sabahın köründe kalktı, atını bağladı ve ışığı söndürdü. Kızı pencereden ona "
        "bakıp gülümsedi: bugün de yağmur yağmayacak mı? Akşam olunca komşular geldi, çay içildi, "
        "eski günlerden söz açıldı.",
    ),
    "Estonian": (
        "cp1257 iso8859-13",
        "Vana mees läks hommikul järve äärde, et näha, kas jää on juba lõhkenud. Tütar küsis, "
        "miks ta nii vara tõusis, aga ta ei öelnud midagi. Õhtul sõid nad köögis kuuma suppi ja "
        "kuulasid, kuidas tuul õues ulus.",
    ),
    "Latvian": (
        BALTIC,
        "Vecais zvejnieks katru rītu gāja uz jūru un skatījās miglā. Meitene viņam atnesa maizi "
        "un jautāja, kāpēc laivas šodien paliek krastā. Viņš atbildēja, ka vējš vēl nav "
        "izlēmis, kurp doties.",
    ),
    "Lithuanian": (
        BALTIC,
        "Kepėjas kiekvieną rytą keldavosi anksčiau už gaidžius ir užkurdavo krosnį. Mergaitė iš "
        "kito namo ateidavo duonos ir klausdavo, ar šiandien bus žuvies. Jis šypsodavosi, bet "
        "niekada neatsakydavo tiesiai.",
    ),
    "Russian": (
        CYRILLIC + " koi8_r",
        "Мельник проснулся до рассвета и вышел посмотреть, не унесла ли река мост. На берегу уже "
        "сидела девочка и считала лодки. Вечером они вернулись домой, поели горячего супа и "
        "долго смеялись, вспоминая испуганных гусей.",
    ),
    "Ukrainian": (
        "cp1251 koi8_u mac_cyrillic",
        "Мірошник прокинувся ще вдосвіта й пішов поглянути, чи не знесла річка міст. Біля ґанку "
        "вже сиділа дівчинка і рахувала човни. Увечері вони повернулися додому, їли гарячий суп "
        "і сміялися з переляканих гусей.",
    ),
    "Bulgarian": (
        CYRILLIC,
        "Старият воденичар стана преди изгрев и излезе да види дали реката не е отнесла моста. "
        "На брега вече седеше едно момиче и броеше лодките. Вечерта се върнаха у дома, ядоха "
        "топла супа и дълго се смяха на гъските.",
    ),
    "Greek": (
        "cp1253 iso8859-7 cp737",
        "Ο μυλωνάς ξύπνησε πριν από την αυγή και βγήκε να δει αν το ποτάμι πήρε τη γέφυρα. Στην "
        "όχθη καθόταν ήδη ένα κορίτσι και μετρούσε τις βάρκες. Το βράδυ γύρισαν στο σπίτι και "
        "έφαγαν ζεστή σούπα.",
    ),
    "Hebrew": (
        "cp1255 iso8859-8 cp862",
        "הטוחן התעורר לפני עלות השחר ויצא לראות אם הנהר סחף את הגשר. על הגדה כבר ישבה ילדה וספרה "
        "את הסירות. בערב חזרו שניהם הביתה, אכלו מרק חם וצחקו שעה ארוכה.",
    ),
    "Arabic": (
        "cp1256 iso8859-6",
        "استيقظ الطحان قبل الفجر وخرج ليرى هل جرف النهر الجسر. كانت فتاة صغيرة تجلس على الضفة "
        "وتعد القوارب. وفي المساء عادا إلى البيت وأكلا حساء ساخنا وضحكا طويلا.",
    ),
    "Thai": (
        "tis_620 cp874",
        "ชาวนาตื่นแต่เช้ามืดแล้วเดินไปดูว่าแม่น้ำพัดสะพานไปหรือยัง เด็กหญิงคนหนึ่งนั่งนับเรืออยู่ริมฝั่ง "
        "ตอนเย็นทั้งสองกลับบ้าน กินข้าวต้มร้อน ๆ และหัวเราะกันอยู่นาน",
    ),
    "Chinese, simplified": (
        "gbk gb18030",
        "磨坊主人天还没亮就起来了，他走到河边，看看桥有没有被水冲走。岸上已经坐着一个小女孩，正在数船。"
        "晚上他们一起回家，喝了热汤，笑了很久，谁也没有再提那群鹅。",
    ),
    "Chinese, traditional": (
        "big5 cp950",
        "磨坊主人天還沒亮就起來了，他走到河邊，看看橋有沒有被水沖走。岸上已經坐著一個小女孩，正在數船。"
        "晚上他們一起回家，喝了熱湯，笑了很久，誰也沒有再提那群鵝。",
    ),
    "Japanese": (
        "shift_jis euc_jp iso2022_jp",
        "粉屋は夜明け前に起きて、橋が川に流されていないか見に行った。岸にはもう女の子がすわって、船を"
        "数えていた。夕方ふたりは家に帰り、あたたかいスープを飲んで、長いこと笑った。",
    ),
    "Korean": (
        "euc_kr cp949",
        "방앗간 주인은 해가 뜨기 전에 일어나 강물이 다리를 쓸어 갔는지 보러 갔다. 강가에는 벌써 "
        "한 소녀가 앉아 배를 세고 있었다. 저녁에 두 사람은 집으로 돌아와 "
        "따뜻한 국을 먹고 오래 웃었다.",
    ),
}

# Each tone of Vietnamese is a character of its own in windows-1258.
VIETNAMESE = (
    "Người lái đò thức dậy trước bình minh và ra xem nước lũ có cuốn mất cây cầu không. Trên bờ đã "
    " có một cô bé ngồi đếm thuyền. Chiều tối hai người trở về nhà, ăn bát cháo nóng rồi cười mãi."
)


def in_windows_1258(text: str) -> bytes:
    """Return a Vietnamese text in windows-1258."""
    tones = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))

    def with_tone_apart(letter: str) -> str:
        base = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in base if ord(mark) in tones)
        return unicodedata.normalize("NFC", base.translate(tones)) + tone

    return "".join(map(with_tone_apart, text)).encode("cp1258")


LETTER = (
    "Dear sister, the boat came in late and nothing was ready. We carried the boxes up the hill, "
    "one by one, and by noon the whole house smelled of tar and apples. "
)
# Sentences in an English text of which they are the only ones that are not ASCII.
ENGLISH_WITH = (
    "Mr Schröder laughed.",
    "It cost £3 at the fair.",
    "She walked 2½ miles.",
    "He asked his fiancée.",
    "They don’t know.",
    "“Go on,” he said.",
    "The café—closed for years—had a new door.",
    "A naïve plan.",
    "It was 30° in the shade.",
    "He ate a crème brûlée.",
    "Ångström was there.",
    "Section § 5 says so.",
    "It is © by the printer.",
    "Señor Peña slept…",
)
