"""PDFs of several pages with what real ones have: odd glyphs, broken pages, bytes before them."""

import base64
import zlib
from collections.abc import Mapping, Sequence

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding"


def book(
    *pages: Sequence[str] | bytes, glyphs: Mapping[str, str] | None = None, blanks: int = 0
) -> bytes:
    """Return a PDF.

    Args:
        pages: the lines of each page, in Latin-1; or bytes, its content stream as it is.
        glyphs: the text that a character of the lines stands for; halves of surrogate pairs and
            NUL can be given.
        blanks: so many pages without anything follow.
    """
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", FONT + b" >>"]
    if glyphs:
        objects[2] = FONT + b" /ToUnicode 4 0 R >>"
        objects.append(stream(_meanings(glyphs)))
    kids = []
    for page in (*pages, *[b""] * blanks):
        objects.append(stream(page if isinstance(page, bytes) else _shown(page)))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return assembled(objects)


def assembled(objects: Sequence[bytes]) -> bytes:
    """Return the PDF of these objects, whose first is its catalogue."""
    body, places = b"%PDF-1.5\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return body + table + end % (len(objects) + 1, len(body))


def stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


def _shown(lines: Sequence[str]) -> bytes:
    escaped = (line.replace("(", r"\(").replace(")", r"\)") for line in lines)
    shown = " T* ".join(f"({line}) Tj" for line in escaped)
    return f"BT /F1 11 Tf 50 750 Td 13 TL {shown} ET".encode("latin-1")


def _meanings(glyphs: Mapping[str, str]) -> bytes:
    """Return a font's table of what each of its characters means, the CMap ToUnicode."""
    pairs = []
    for number in range(32, 127):
        meant = glyphs.get(chr(number), chr(number)).encode("utf-16-be", "surrogatepass")
        pairs.append(f"<{number:02X}> <{meant.hex()}>")
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def "
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(pairs)} beginbfchar\n{chr(10).join(pairs)}\nendbfchar endcmap end end"
    ).encode("ascii")


# Encrypted once by pypdf, which the tests do without; deflated, then in base 85. The first two open
# without a password.

LOCKED_TEXT = "The tide is low at noon."
AES_128 = (
    "c-oCqJ7^R^7`77z1Q8Up2-BQk5$CzHvv3?q?jaJxg}WGw7;tuX_Of!f8+P|35i2c4B$y(V5lLZVV`C~28^OlHO3=ns#z"
    "spko!z_S4$i`TvHv&U|N8!!(qgSKO)fJ~`gZW~6Ce=7*u4$PWq_78*EK{{m8ovr0ccTmbPA~<v_Pc-bmZqmI^j_80Gbc"
    "|6s|y)^WiE$)wmyJkc_#qf4b(05^bo1OlU#-p_+>~Oe}0}fiaZkEh0vlA*PTIm@S>g{lqgx<`Elab?`%=byW1=8Rq9>`"
    "LF4yldYM^`FffqTJ^xK`+H}%ewViocCQ?s__g!s@#)VqTNlsmZ}0F2H>Xa`KYa0O=kWEu|MH3bZuj8rh4&w3e*WQazMu"
    "T@?CJUEwR<bmY-;b!%9l&1DXU-ick{f%(8CI>2?g@10c!W%tT1zs05qpkUG#&N!k$j2TX9cC0M#Qe_QR+H(Ty;gjneQ4"
    "7;93DrC5gCsFZ((?Gh@D+>ld;JHn<8HEM<3OeYYvGZpzN@d0YWvL!^Iq|LNu%(ETa^O@^l9{9=+B;hJhjQfG3m<)vWId"
    "L7yHT8tAs8S-ZDga%FW$g%Qae;koV~1KQ@T5?RXsM)yspnAX23%X3Yul2F6TvYywg`eiVS=TJQf(9?ZD;=QZ?>PU)$io"
    "n1=V7&xvry}v;fg;y}e9Fjf&yujccy~2LW;;IW|U;Z6rDX7}@|IUr<;UvtR&^F=A#{tVAPB@Cl4iHi1!#Okhk-VqD@8m"
    "L)3e>ZF)sJG`q+d8ie~=0puP|J9l~AZ14ikJ$k;Y7t4fRF1~fm5O5KD%<rc|3g_Vc2=^vo<VVRaMDaASs{!qZBQ!Jn+@"
    "<6Ry8nT"
)
AES_256 = (
    "c-oCrO^YK%81~?)M#0k_Je7ywWj9^l9}ohwGYN_=6O!2xksRvdt!#ACJ#_cTtOy?V<XL}!D6Cfx-bEBViHLX=RP+~k+l"
    "$pnW+o61cDl)1Pd)EPJ-l!ACdcD@w9irRk3WC<1yM|J<=;hv0V+-(UjQzST<gxO1u7<P0S#uEFh#>5f--hQw&$?sq2i5"
    "YZ16jncYHiY#Zh%xwwUg?^8a-064j8Yn@q(6h)Z|By2`Og{wYGR$=^C+*=Ayc#fCYBrn;;{F0zX_&bu3fVtHNk=H2EOJ"
    "Ne&)a?w7@k-Pn-t--C(JoNg*N&nd^-@f<bWct-V2L~^{^yPPV7H9o~->;lHefZ=xc>3|@uYUhq{~2b#KAnH_8T@c|b=U"
    "sP{!Y)o@b-sje)o${KZ@r^UqAQP%TGS(@@_+KE0B8%bXB8bcIn&ovI8k9?z;xo=P6E?D`@UbtCcHJF)Bk9m*oN%Z!OEi"
    "vRPgOJBL&|DbBFWDq(eVTqd(U!Gc*~m1dS@wU*~C)VP?nu8gjZs5rp`&y%B4X%JL+&mDl_gaofO2dYBQ(uv58B}{;!G^"
    "F61hd}ecO)L@<c+fPsV7Q4aF%_6nl%!xOIHK(k6%X+MZ1O$<fcB6QcOfXCAyVo%aVZF8v&{gkv%zvBecqG7P^Kk;sB=A"
    "n_(-`YAUqSw@eG7084wB1iJawVyl#nE8@JZsW&3FKe%EfraTQK3pzKHwaB(=Ao$(u?INP>Pc3q9}CP25SZx<&cJO~Mrk"
    "Blegl-Ax83V~Tq3?;!)p;J~s37dqa))C{9_E`k!c(4w%ah(u3OthAIZKL%}k?28-q(t<A2qqGhDbYlnkXc^Jly^XdA;u"
    "`GfF~~k&0!``uks+cl#~=n2QGj~DowHxxDUVx0f>Be9<FLgh+vJ#&4ZPcT;hapFq(UIy;I&|O6*~j@jWc(-@~}s$MRur"
    "v9@;0bEwz-J6nDLxx8XpRrw~_4E^iJ`C=Hj=yN9|5|sgxJ3|I*tQR~O@Iu8f{6CcWdZOyb7cExT7e>>%x?KxH374qX8="
    "Z{NzsoIing"
)
AES_256_WITH_PASSWORD = (
    "c-oCryNe`67&kDv!ZR}zDj5*uw(F}`SHUo_w=)BBd(5(Po`GCY&$&K!x|i;r<MxtE?hm*?Fc6G1FcC4)$Wx5<0&^7~p$"
    "MWVXkc~E?C!uA*bn&XSHJpwkNT<xN8{-=*kfq$!;jCtL4XOa>^(FbqU_e$X~5ZmY0XKsK-rO5ga*?@I7Xup3Z?IebZ0@"
    "&L)neOH~3A=IzGOGvV&?>wivdSvj1G#IjTdVu03TpgD=eW>Os;X>6L_FmHu9_Y!k7;e9b%#O|`0B3bIq2rrEUtSeysF{"
    "x<&kmjA<0F50_Extnj=I+!Io{B8W!w;zwI&z{Wo-v98q7k~fql{5MBM=SaK;a^|<^6t-nw|`!JeC35JgI5=iKX~ch{GI"
    "pAr%!$zJzabv_O$%`?W>RO|MPV6$4_6t*WW!m{C>alyOG{RAa*LyMUArg%C`Nm0|8~%O%wWjvRlP6G}n%+r72N1DP84@"
    "a)GlqigLefigREqNx9|XHWsN$SYD({MY4}Dr<!Y-Q%zH~ijy|fIGeYo^rrSGo8h7M5DjHq1qk3M&!v&VQmPfRHg`-pO}"
    "XUUa&EX})bgl}w~EH7VvGiaWB`^bN*wdK5KKzxK}jE&;Xp<xdmRrMaAB>`5|klA^E_9<iy&g6N=kH|LJZCt$d$J?HG=g"
    "qTEcnK0dTnlCPkpZD$N8aq4S`epq>jx1!W?6Ihgh>F>n3G+F!MIC-=K{%f^+Porba_-Nf1cWPY1n6pGPJ>!hX2DP9Y7g"
    "ZgqXo8V!vA=eJL@-#(9Sa3d=R2AZKkdSj}xeJzh9k@|ol_W}QW&;%|8?9Yeh$JIS$c5)D$^c$lAkk?ngO>zAQDG%$YCT"
    "PPLfS&jog|K@*E?!dG&0E?g?gC|0(hqb0j~43AB6iTr3yNk$rjAf?ep-U4iOQYBXaRznf6NHh%YcmJ=@Qemzd-`7*Mu@"
    "Q2{#`Q@a>f<PvLZQ=Ejl@85axFr@IZ<ElzG$@<X0Hcl7A&{=6IG1PbtBD!cCI1xdmqDSJ582um0o&H4CXQwTe=NCrPn!"
    "4=^1B3}Q7))kU^e>Q;a|Q"
)
RC4_WITH_PASSWORD = (
    "c-oCpziSjh6vje?QEcq2rny2P&hNPyI1bE@gW!*ZOEiU~nB9GIt|Yr*cLPZZ1rh%NL9nyXLWo8X3kyjnB0>cJg9w7979"
    "!X<yO+d+vv79@cE0)E`@Z+)wdSXL6YPROt^F^1pAo|p=g}?H=^(PWxdxa_xyr5N14QQC07}dQp^v&<1X)rO`B*^1L*!D"
    "Ll=ub~H6Je{GL^4q6=ox$;-8_lPyvBDR3cX(N!?_=5pvP+YD%#QtI3#EfmmWWWcH!V*NZrqtTXn)>F|ePb!d9{9q7vu{"
    "mYOIs+(9h{>rKVw~D^LeskvI#Iuw4p1$8+I(GZSlk=ax)5qHne(gT|G4*`s_q(@y=N{cT`|aoM-P5P|%U8#zcbJ^r|FC"
    "p_@5R+x<RH(1oEj^)wus2WdQ>&r8f1t}x)K`mWHDWZa-yHFx(tz-EY6cO8(^}OW*4(EJp@K7(jyYrF%K=l;;1&pP3SF_"
    "+)At4+=k;`x>7-b$wK9_#1#o5bGSp3NExMktOVCeTWD)#sg9l35@ZN>GUhbVV6FBEc&i22NKr$*1!_bWk!!dEni^m+XK"
    "fzj3^R;J6xxa>Ce}8Nxrw|41u|g9Nv0*GVXwXSjxuUSFKVLzk0@><dh}qelu+2?BaDUqHYeF%Ov^EhaWRH*#l|q9`4}e"
    "k2(Kz!x&lSh>xFa+f<4mD^DyGWX`G!76Wj47GM2{N$2OGbgkaWK<%BbdHZqC3|3g`BZok-EtFS(t<g#)_)ig%8HEOkH="
    "6dK4(uWTb"
)


def unpacked(text: str) -> bytes:
    """Return one of the encrypted PDFs."""
    return zlib.decompress(base64.b85decode(text))
