#!/usr/bin/env python3
"""Makes tests/data/benchmarks: a few invented rows in the format of each public benchmark, with its traps.

Nothing of the benchmarks themselves is in it: questions, answers and pictures are made up here.  Needs pyarrow, pillow.

    python tools/make_benchmark_samples.py tests/data/benchmarks
"""
import csv
import io
import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/data/benchmarks"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def place(name):
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def png(shade):
    """An 8 x 8 picture of one gray: the shade tells which one was read."""
    out = io.BytesIO()
    Image.new("L", (8, 8), shade).save(out, "PNG")
    return out.getvalue()


def picture(name, shade):
    with open(place(name), "wb") as f:
        f.write(png(shade))


def hf(shade, path=None):
    return None if shade is None else {"bytes": png(shade), "path": path}


def parquet(name, columns, schema):
    fields = [pa.field(key, kind) for key, kind in schema.items()]
    table = pa.table({key: pa.array(columns[key], schema[key]) for key in schema}, schema=pa.schema(fields))
    pq.write_table(table, place(name), compression="snappy", write_statistics=False, store_schema=False)


def text_file(name, text):
    with open(place(name), "w", encoding="utf-8", newline="") as f:
        f.write(text)


def lines(name, rows):
    text_file(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def table(name, rows, separator=","):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    text_file(name, out.getvalue())


def vqa_rad():
    row = {"phrase_type": "test_freeform", "image_organ": "HEAD", "question_type": "PRES", "image_name": "a.png"}
    rows = [
        dict(row, qid="0", question="Is there a mass?", answer="Yes", answer_type="CLOSED"),
        dict(row, qid=1, question="How many lesions are there? ", answer=2, answer_type="OPEN"),
        dict(row, qid=2, question="CT or MRI?", answer="MRI ", answer_type="CLOSED ", phrase_type="test_para"),
        dict(row, qid=3, question="Which side?", answer="left", answer_type="OPEN", phrase_type="freeform"),
        dict(row, qid=4, question="Is it large?", answer="no", answer_type="CLOSED", image_organ="CHEST"),
    ]
    text_file("vqa_rad/VQA_RAD Dataset Public.json", json.dumps(rows, indent=1))
    picture("vqa_rad/images/a.png", 10)
    schema = {"image": IMAGE, "question": pa.string(), "answer": pa.string()}
    for shard in range(2):
        parquet(f"vqa_rad_hf/data/test-0000{shard}-of-00002-e5bc3d208bb4deeb.parquet",
                {"image": [hf(20 + 2 * shard), hf(21 + 2 * shard)],
                 "question": ["is there a fracture?", "what organ is shown?"],
                 "answer": ["no" if shard else "yes", "the spleen"]}, schema)


def slake():
    row = {"img_id": 1, "img_name": "xmlab1/source.png", "location": "Abdomen", "modality": "MRI",
           "base_type": "vqa", "triple": ["vhead", "_", "_"]}
    rows = [
        dict(row, qid=11, q_lang="en", answer_type="CLOSED", content_type="Organ", question="Is there a liver?", answer="Yes"),
        dict(row, qid=12, q_lang="en", answer_type="OPEN", content_type="Modality", question="Which modality is it?", answer="MRI"),
        dict(row, qid=13, q_lang="en", answer_type="CLOSED", content_type="Plane", question="Axial or coronal?", answer="Axial"),
        dict(row, qid=21, q_lang="zh", answer_type="CLOSED", content_type="Organ", question="图中有肝脏吗?", answer="没有"),
        dict(row, qid=22, q_lang="zh", answer_type="OPEN", content_type="Organ", question="图中是什么器官?", answer="肝脏"),
        dict(row, qid=23, q_lang="zh", answer_type="OPEN", content_type="Abnormality", question="图中有什么异常?", answer="无"),
    ]
    text_file("slake/test.json", json.dumps(rows, ensure_ascii=False))
    picture("slake/imgs/xmlab1/source.png", 30)


def path_vqa():
    schema = {"image": IMAGE, "question": pa.string(), "answer": pa.string()}
    parquet("path_vqa/data/test-00000-of-00001.parquet",
            {"image": [hf(40), hf(41), hf(42)], "question": ["Is it necrosis?", "what is shown?", "where is it?"],
             "answer": ["Yes.", "a gland", "no man's land"]}, schema)


def pmc_vqa():
    head = ["index", "Figure_path", "Caption", "Question", "Choice A", "Choice B", "Choice C", "Choice D", "Answer", "split"]
    table("pmc_vqa/test_2.csv", [
        head,
        [0, "PMC1_F1.png", "A caption, with a comma", "Which view?", " A: axial ", "B: coronal", "C: sagittal", "D: none", "B", "test"],
        [1, "PMC1_F2.png", "Two\nlines", "What does \"MR\" mean?", "None", "nan", "magnetic", "NULL", "C", "test"],
    ])
    table("pmc_vqa/test_clean.csv", [
        ["Figure_path", "Question", "Answer", "Choice A", "Choice B", "Choice C", "Choice D", "Answer_label"],
        ["PMC1_F1.png", "What uptake?", "Focal uptake", "A:Diffuse uptake", "B:Focal uptake", "C:No uptake", "D:Ratio A:B", "B"],
    ])
    picture("pmc_vqa/figures/PMC1_F1.png", 50)
    picture("pmc_vqa/images/PMC1_F2.png", 51)


def omnimedvqa():
    row = {"dataset": "ACRIMA", "question_type": "Disease Diagnosis", "image_path": "Images/ACRIMA/a.png"}
    text_file("omnimedvqa/QA_information/Open-access/ACRIMA.json", json.dumps([
        dict(row, question_id="ACRIMA_0000", question="Is glaucoma seen?", gt_answer="No, It's normal.",
             option_A="Yes", option_B="No, It's normal.", modality_type="Fundus Photography"),
        dict(row, question_id="ACRIMA_0001", question="What is it?", gt_answer="B",
             option_A="vitamin b", option_B="A", option_C="B", option_D="C", modality_type="Fundus Photography"),
    ]))
    text_file("omnimedvqa/QA_information/Open-access/Chest CT Scan.json", json.dumps([
        dict(row, question_id="ACRIMA_0000", question="Which modality?", dataset="Chest CT Scan", gt_answer="CT",
             option_A="MRI", option_B="CT", option_C="PET", option_D="X-ray", modality="CT(Computed Tomography)"),
    ]))
    picture("omnimedvqa/Images/ACRIMA/a.png", 60)


def medxpertqa():
    letters = "ABCDE"
    def row(number, kind, label, images):
        texts = [f"option {number}{letter}" for letter in letters]
        tail = " ".join(f"({letter}) {text}" for letter, text in zip(letters, texts))
        return {"id": f"MM-{number}", "question": f"A patient, {number} years old. What next?\nAnswer Choices: {tail}",
                "options": dict(zip(letters, texts)), "label": label, "images": images, "medical_task": "Diagnosis",
                "body_system": "Nervous", "question_type": kind}
    lines("medxpertqa/MM/test.jsonl", [row(26, "Reasoning", "E", ["MM-26-a.png", "MM-26-b.png"]),
                                       row(27, "Understanding", "A", ["MM-26-b.png"])])
    picture("medxpertqa/images/MM-26-a.png", 70)
    picture("medxpertqa/images/MM-26-b.png", 71)


MMMU = ["Basic_Medical_Science", "Clinical_Medicine", "Diagnostics_and_Laboratory_Medicine", "Pharmacy", "Public_Health"]


def mmmu_schema(*names):
    schema = {"id": pa.string(), "question": pa.string(), "options": pa.string()}
    schema.update({f"image_{i}": IMAGE for i in range(1, 4)})
    schema.update({"answer": pa.string(), "topic_difficulty": pa.string()})
    schema.update({name: pa.string() for name in names})
    return schema


def mmmu_rows(rows, *names):
    keys = ["id", "question", "options", "image_1", "image_2", "image_3", "answer", "topic_difficulty", *names]
    return {key: [row[i] for row in rows] for i, key in enumerate(keys)}


def mmmu():
    for k, subject in enumerate(MMMU):
        for split in ("validation", "test"):
            def name(i):
                return f"{split}_{subject}_{i}"
            hidden = split == "test"
            rows = [(name(1), "Which one is <image 1>?", "['a \"b\"', \"don't\", 'c']", hf(80 + k), None, None,
                     "?" if hidden else "B", "Easy", "multiple-choice", "Field")]
            if subject == "Pharmacy":
                rows += [
                    (name(2), "Which ring is it?", "['<image 3>', '<image 1>', '<image 2>']", hf(1), hf(2), hf(3),
                     "?" if hidden else "A", "Hard", "multiple-choice", "Field"),
                    (name(3), "How many are in <image 1>?", "[]", hf(4), None, None, "?" if hidden else "['2', 'two']",
                     "Hard", "open", "Field"),
                    (name(4), "What does <image 2> explain, after <image 2>?", "['yes', 'no']", hf(5), hf(6), None,
                     "?" if hidden else "A", "Medium", "multiple-choice", "Field"),
                ]
            parquet(f"mmmu/{subject}/{split}-00000-of-00001.parquet", mmmu_rows(rows, "question_type", "subfield"),
                    mmmu_schema("question_type", "subfield"))
    answers = {f"test_{subject}_1": {"question_type": "multiple-choice", "ground_truth": "C"} for subject in MMMU}
    answers.update({"test_Pharmacy_2": {"question_type": "multiple-choice", "ground_truth": "B"},
                    "test_Pharmacy_3": {"question_type": "short-answer", "ground_truth": ["Transformation", "change"]},
                    "test_Pharmacy_4": {"question_type": "multiple-choice", "ground_truth": "A"}})
    text_file("mmmu/answer_dict_test.json", json.dumps(answers))
    ten = str([f"choice {i}" for i in range(10)])
    parquet("mmmu_pro/standard (10 options)/test-00000-of-00001.parquet",
            mmmu_rows([("test_History_1", "Which <image 1>?", ten, hf(7), None, None, "A", "Easy", "History"),
                       ("validation_Pharmacy_9", "Which <image 1>?", ten, hf(8), None, None, "J", "Easy", "Pharmacy")],
                      "subject"), mmmu_schema("subject"))


def medqa():
    options = {"A": "Aspirin", "B": "Heparin", "C": "Warfarin", "D": "Rest"}
    row = {"question": "A man has chest pain. What next?", "answer": "Warfarin", "options": options, "meta_info": "step1",
           "answer_idx": "C", "metamap_phrases": ["man", "chest pain"]}
    other = dict(row, question="A woman has a cough. What next?", answer="Aspirin", answer_idx="A", meta_info="step2&3")
    lines("medqa/phrases_no_exclude_test.jsonl", [row, other])
    letters = pa.struct([(letter, pa.string()) for letter in "ABCD"])
    parquet("medqa_hf/data/test-00000-of-00001.parquet", {key: [row[key], other[key]] for key in row},
            {"question": pa.string(), "answer": pa.string(), "options": letters, "meta_info": pa.string(),
             "answer_idx": pa.string(), "metamap_phrases": pa.list_(pa.string())})
    pairs = [{"key": key, "value": value} for key, value in options.items()]
    parquet("medqa_bigbio/med_qa_en_4options_source/test-00000-of-00001.parquet",
            {"meta_info": ["step1"], "question": [row["question"]], "answer_idx": ["C"], "answer": ["Warfarin"],
             "options": [pairs]},
            {"meta_info": pa.string(), "question": pa.string(), "answer_idx": pa.string(), "answer": pa.string(),
             "options": pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))})


def medbullets():
    head = ["link", "question", "opa", "opb", "opc", "opd", "answer_idx", "answer", "explanation"]
    table("medbullets/medbullets_op4.csv",
          [head, ["https://bit.ly/x", "A child, \"fair\", has a rash.\nWhich test?", "Biopsy", "None", "Wait", "CT", "B", "None", "So."]])
    table("medbullets/medbullets_op5.csv",
          [head[:6] + ["ope"] + head[6:],
           ["https://bit.ly/x", "A child has a rash. Which test?", "Biopsy", "Culture", "Wait", "CT", "MRI", "E", "MRI", "So."]])


def gmai():
    import base64
    def image(shade):
        return base64.b64encode(png(shade)).decode()
    two = f"['{image(92)}', '{image(93)}']"
    table("gmai/GMAI-MMBench_VAL.tsv", [
        ["index", "image", "question", "A", "B", "C", "D", "E", "answer", "category", "l2-category", "split"],
        [100, image(90), "Which cell is it?", "one", "two", "three", "", "", "B", "Cell", "DD", "val"],
        [101, 100, "And which stain?", "one", "two", "three", "four", "five", "E", "Stain", "DD", "val"],
        [102, two, "Compare <image 2> with <image 1>.", "same", "other", "", "", "", "A", "Stain", "AR", "val"],
    ], "\t")
    table("vlmevalkit/data.tsv", [
        ["index", "image_path", "question", "hint", "answer", "category"],
        [0, "a.png", "Is it there?", "Look at the left.", "No", "x"],
        [1, "['a.png', 'b.png']", "What differs?", "", "the shade", "y"],
    ], "\t")
    picture("vlmevalkit/images/a.png", 94)
    picture("vlmevalkit/images/b.png", 95)


def pubmedqa():
    row = {"CONTEXTS": ["Some background.", "Some results."], "LABELS": ["BACKGROUND", "RESULTS"], "MESHES": [],
           "YEAR": "2011", "reasoning_required_pred": "yes", "reasoning_free_pred": "no", "LONG_ANSWER": "It depends."}
    rows = {"101": dict(row, QUESTION="Does it help?", final_decision="yes"),
            "102": dict(row, QUESTION="Is it safe?", final_decision="maybe"),
            "103": dict(row, QUESTION="Is it new?", final_decision="no")}
    text_file("pubmedqa/data/ori_pqal.json", json.dumps(rows, indent=1))
    text_file("pubmedqa/data/test_ground_truth.json", json.dumps({"102": "maybe", "103": "no"}))
    context = pa.struct([("contexts", pa.list_(pa.string())), ("labels", pa.list_(pa.string()))])
    parquet("pubmedqa_hf/pqa_labeled/train-00000-of-00001.parquet",
            {"pubid": [101, 102], "question": ["Does it help?", "Is it safe?"],
             "context": [{"contexts": row["CONTEXTS"], "labels": row["LABELS"]}] * 2,
             "long_answer": ["It depends."] * 2, "final_decision": ["yes", "maybe"]},
            {"pubid": pa.int32(), "question": pa.string(), "context": context, "long_answer": pa.string(),
             "final_decision": pa.string()})


MMLU = ["anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics", "professional_medicine"]


def mmlu():
    for k, subject in enumerate(MMLU):
        table(f"mmlu_csv/test/{subject}_test.csv",
              [["Which is \"it\", here?", "one, two", "two", "three", "four", "ABCD"[k % 4]], ["And now?", 1, 2, 3, 4, "D"]])
        parquet(f"mmlu_hf/{subject}/test-00000-of-00001.parquet",
                {"question": ["Which is it?"], "subject": [subject], "choices": [["one", "two", "three", "four"]],
                 "answer": [k % 4]},
                {"question": pa.string(), "subject": pa.string(), "choices": pa.list_(pa.string()), "answer": pa.int64()})


def medmcqa():
    row = {"exp": None, "choice_type": "single", "subject_name": "Anatomy", "topic_name": None,
           "opa": "one", "opb": "two", "opc": "three", "opd": "four"}
    lines("medmcqa/dev.json", [dict(row, id="x1", question="Which is first?", cop=1),
                               dict(row, id="x4", question="Which is last?", cop=4, choice_type="multi")])
    lines("medmcqa_small/dev.json", [dict(row, id="x2", question="Which is second?", cop=2)])
    text = {key: pa.string() for key in ("id", "question", "opa", "opb", "opc", "opd", "choice_type", "exp", "subject_name")}
    parquet("medmcqa_hf/data/validation-00000-of-00001.parquet",
            dict({key: [row[key]] * 2 for key in text if key in row}, id=["x2", "x3"], question=["Second?", "Third?"], cop=[1, 2]),
            dict(text, cop=pa.int64()))


def questions():
    lines("questions/data.jsonl", [
        {"id": "a", "question": "Which one?", "kind": "choice", "options": {"A": "left", "B": "right"}, "answer": "B",
         "images": ["a.png"], "category": "sides", "level": 2},
        {"id": "b", "question": "<image>\nHow wide?", "kind": "number", "answer": 12, "tolerance": 0.5, "images": "a.png"},
    ])
    picture("questions/a.png", 96)
    letters = pa.struct([("A", pa.string()), ("B", pa.string()), ("C", pa.string())])
    parquet("questions_parquet/test-00000-of-00001.parquet",
            {"question": ["Which one?"], "kind": ["choice"], "options": [{"A": "left", "B": "right", "C": None}],
             "answer": ["right"], "images": [[hf(97), hf(98)]]},
            {"question": pa.string(), "kind": pa.string(), "options": letters, "answer": pa.string(),
             "images": pa.list_(IMAGE)})


for make in (vqa_rad, slake, path_vqa, pmc_vqa, omnimedvqa, medxpertqa, mmmu, medqa, medbullets, gmai, pubmedqa, mmlu,
             medmcqa, questions):
    make()
