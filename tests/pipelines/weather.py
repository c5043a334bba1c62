"""A table of weather for tests, with numbers, categories and dates."""

CSV = """day,degrees,wind,sky,code,count
2011-01-03,10,1.5,clear,01,5
2011-02-05,20,0,rain,1,7
2012-02-29,30,2,,01,9
,40,3,clear,02,11
2012-12-31,50,4.5,rain,1,20
2011-01-09,60,5,snow,01,2
"""


COLUMNS = {"numbers": ["degrees", "wind"], "categories": ["sky", "code"], "dates": ["day"], "label": "count"}


TABLE = {"kind": "table", "predicts": "number", "test": 2}


def csv(tmp_path, content=CSV, name="own.csv"):
    (tmp_path / name).write_text(content)
    return {"from": "files", "train": str(tmp_path / name)}
