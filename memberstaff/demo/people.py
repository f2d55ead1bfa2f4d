"""Made-up people of a made-up school, from many places; the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

CATEGORIES = {"Teaching": 52, "Support": 16, "Administration": 10, "Kitchen": 9, "Facilities": 8, "Leadership": 5}
"""The share of each, in per cent."""

NAMES = (
    (
        "Ada Amelia Charlotte Edward Florence Grace Harriet Isaac Jonah Lewis Martha Oliver Rosie Samuel Tessa Wilf",
        "Abbott Barlow Carter Dawson Ellis Fletcher Gibson Hughes Ingram Jarvis Kershaw Lawson Mercer Nolan O’Neill",
    ),
    (
        "Amélie Bastien Céline Élodie François Geneviève Hélène Jérôme Loïc Maëlle Noémie René Sébastien Zoé",
        "Aubry Beauchêne Côté d’Aramitz Delacroix Dupré Fabre Gagné Lefèvre Léger Moreau Noël Père Rivière Thévenet",
    ),
    (
        "Alejandro Belén Carmen Íñigo José Lucía Macarena Mateo Nuria Raúl Rocío Sofía Tomás Valentina Ximena",
        "Álvarez Benítez Castaño Domínguez Fernández García Ibáñez Jiménez Martínez Muñoz Núñez Peña Quiñones Ruiz",
    ),
    (
        "Agnieszka Bożena Elżbieta Grzegorz Jadwiga Krzysztof Łukasz Małgorzata Paweł Stanisław Wojciech Żaneta",
        "Błaszczyk Dąbrowska Głowacki Jabłońska Kamiński Łapińska Mączyński Nowak Ożóg Szymańska Wiśniewski Zając",
    ),
    (
        "Анна Борис Вера Григорий Дарья Елена Иван Кирилл Людмила Михаил Наталья Олег Полина Сергей Тамара",
        "Авдеев Белоусова Воронин Громова Дьяченко Ершов Жукова Зайцев Ковальчук Лебедева Мороз Шевченко",
    ),
    (
        "Αλέξανδρος Βασιλική Γιώργος Δήμητρα Ελένη Ιωάννα Κώστας Μαρία Νίκος Παναγιώτης Σοφία Χρήστος",
        "Αντωνίου Βλάχος Γεωργίου Δημητρίου Καραγιάννης Μακρή Νικολάου Οικονόμου Παπαδοπούλου Σταύρου",
    ),
    (
        "أحمد بشرى جميلة حسن خالد رانيا زينب سارة طارق عمر فاطمة ليلى مريم نادر ياسمين",
        "البغدادي التميمي الجابري الحداد الخطيب الرفاعي السيد الشامي الصباغ العلي القاسم المصري النجار",
    ),
    (
        "अदिति अर्जुन इशिता कविता गौरव दीपक नेहा प्रिया मीरा रोहन विकास सुनीता",
        "अग्रवाल कपूर गुप्ता चौधरी जोशी नायर पटेल भट्ट मिश्रा वर्मा शर्मा सिंह",
    ),
    ("子轩 思涵 欣怡 浩然 雨桐 志强 美玲 建国 晓梅 伟 芳 静", "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙"),
    ("민준 서연 지우 하은 도윤 예린 현우 수빈 유진 태호 은지 성민", "김 이 박 최 정 강 조 윤 장 임 한 오"),
    (
        "Adaeze Babajide Chiamaka Ebube Folasade Ifeoma Kwame Nana Ngozi Olumide Temitope Yaa Zainab",
        "Abiodun Adeyemi Boateng Chukwu Danjuma Eze Mensah Nwosu Okafor Owusu Quaye Sowande",
    ),
    (
        "Aoi Daichi Emi Haruto Kaito Mei Ren Sakura Sora Yui Yūto Hinata",
        "Fujimoto Hayashi Inoue Kobayashi Matsumoto Nakamura Ōno Saitō Tanaka Watanabe Yamada",
    ),
)
"""First and last names by origin; only those of the same origin are combined."""

FAMILY_FIRST = {8, 9}
"""Indexes of `NAMES` where the family name comes first, without a space."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A fictitious person. `category` is one of `CATEGORIES`; `tenure` is in years."""

    name: str
    category: str
    external_ref: str
    tenure: int


def people(number: int, seed: int) -> Iterator[DemoPerson]:
    """Yield `number` people; the first ones are the same whatever the number."""
    random = Random(f"people {seed}")  # noqa: S311
    taken: set[str] = set()
    for index in range(number):
        origin = random.randrange(len(NAMES))
        firsts, lasts = (names.split() for names in NAMES[origin])
        for _ in range(3):  # duplicate names are rare in a small school, and common in a large one
            first, last = random.choice(firsts), random.choice(lasts)
            name = f"{last}{first}" if origin in FAMILY_FIRST else f"{first} {last}"
            if name not in taken:
                break
        taken.add(name)
        category = random.choices([*CATEGORIES], [*CATEGORIES.values()])[0]
        yield DemoPerson(name, category, f"S{index + 1:05}", tenure=random.randrange(1, 12))
